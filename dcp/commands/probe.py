"""`dcp probe`: evaluate the encoders of runs."""

import json
from pathlib import Path

from rich.console import Console

from dcp import report
from dcp.run import find


def main(
    words: list[str],
    evaluations: tuple[str, ...],
    sets: tuple[str, ...],
    *,
    runs: Path,
    device: str,
    quiet: bool,
    as_json: bool,
) -> int:
    """Probe every run that the words name; the exit code."""
    from dcp.probing import probe

    console = Console()
    results = {}
    for run in find(words, runs):
        with run.lock():
            results[str(run.path)] = probe(run, evaluations, sets=sets, device=device, say=console.print)
        if not quiet:
            console.print(report.summary(run))
    if as_json:
        print(json.dumps(results))
    return 0
