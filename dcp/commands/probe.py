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
    data: str | None,
    runs: Path,
    device: str,
    quiet: bool,
    as_json: bool,
) -> int:
    """Probe every run that the words name; the exit code.

    An evaluation of the recipe that the data do not allow is skipped in words, one that was asked for is refused.
    """
    from dcp.probing import probe

    console = Console()

    def say(text: str) -> None:
        if not quiet:
            console.print(text, highlight=False, markup=False, soft_wrap=True)

    results = {}
    for run in find(words, runs):
        with run.lock():
            results[str(run.path)] = probe(
                run, evaluations, sets=sets, data=data, device=device, say=say, forgiving=not evaluations
            )
        console.print(report.summary(run, scores_only=quiet))
    if as_json:
        print(json.dumps(results))
    return 0
