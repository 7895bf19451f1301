"""`dcp probe`: evaluate the encoders of runs."""

import json
from pathlib import Path

from rich.console import Console

from dcp.report import render
from dcp.report.html import reports
from dcp.runs.disk import atomic_write
from dcp.runs.run import find


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
    html: bool = False,
) -> int:
    """Probe every run that the words name; the exit code.

    An evaluation of the recipe that the data do not allow is skipped in words, one that was asked for is refused.
    With `html` the pictures of the report are made too, and the report is written into the run folder.
    """
    from dcp.hardware.malloc import keep_freed_memory
    from dcp.hardware.processes import choose_device
    from dcp.probing.probe import probe

    if choose_device(device) == "cpu":
        keep_freed_memory()
    console = Console()

    def say(text: str) -> None:
        if not quiet:
            console.print(text, highlight=False, markup=False, soft_wrap=True)

    results = {}
    for run in find(words, runs):
        with run.lock():
            names = (*(evaluations or run.recipe()["probe"]["after"]), "pictures") if html else evaluations
            names = tuple(dict.fromkeys(names))
            results[str(run.path)] = probe(
                run, names, sets=sets, data=data, device=device, say=say, forgiving=not evaluations
            )
            if html:
                atomic_write(run.path / "report.html", reports.run_html(run).encode())
        console.print(render.summary(run, scores_only=quiet))
    if as_json:
        print(json.dumps(results))
    return 0
