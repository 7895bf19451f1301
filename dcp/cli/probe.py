"""`dcp probe`: evaluate the encoders of runs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from dcp.cli import completion, options


def probe(
    runs_: options.RunNames,
    evaluation: Annotated[
        list[str] | None,
        typer.Option(
            "--evaluation",
            "-e",
            metavar="NAME",
            help="Which; repeatable. Without it those of the recipe.",
            autocompletion=completion.evaluations,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="SOURCE", help="Other images: cifar100, ...; more keys by --set probe.data.*"),
    ] = None,
    set_: options.Sets = None,
    runs: options.Runs = Path("runs"),
    device: options.Device = "auto",
    html: Annotated[bool, typer.Option("--html", help="Also take pictures and write RUN/report.html.")] = False,
    figures: options.Figures = None,
    quiet: options.Quiet = False,
    json_: options.Json = False,
) -> None:
    """Evaluate the frozen encoders of runs; writes into each run's probes/."""
    from rich.console import Console

    from dcp.cli.lines import written
    from dcp.cli.progress import Watcher

    results, folders = {}, {}
    with Watcher(Console(), quiet=quiet) as watcher:
        watcher.doing("loading PyTorch")  # what is imported below takes seconds
        from dcp.hardware.device import choose_device
        from dcp.hardware.malloc import keep_freed_memory
        from dcp.probing import probe as probing
        from dcp.report import render
        from dcp.report.chart_files import FOLDER as FIGURES
        from dcp.report.chart_files import check_figures, write_charts
        from dcp.report.html import reports
        from dcp.runs.made_by_dcp import check_made_by_dcp
        from dcp.runs.run import find

        found = find(runs_, runs)
        for run in found:
            check_figures(figures, run.path)
            check_made_by_dcp(run.path, ["report.html"] if html else [])
        if choose_device(device) == "cpu":
            keep_freed_memory()
        for run in found:
            watcher.doing(f"preparing {run.path.name}")
            with run.lock(watcher.say):
                names = [*(evaluation or run.recipe()["probe"]["after"]), "pictures"] if html else evaluation or []
                # what the data do not allow is skipped if the recipe asks for it, and refused if the user does
                measured = probing.probe(
                    run,
                    tuple(dict.fromkeys(names)),
                    sets=tuple(set_ or ()),
                    data=data,
                    device=device,
                    say=watcher.say,
                    watch=watcher,
                    forgiving=not evaluation,
                )
                if html:
                    run.write("report.html", reports.run_html(run).encode())
                if figures is not None:
                    write_charts(run, figures, run.path)
            watcher.rest()
            watcher.console.print(render.summary(run, scores_only=quiet))
            watcher.console.print()
            results[str(run.path)] = measured
            more = [*(["report.html"] if html else []), *([FIGURES] if figures else [])]
            folders[run.path] = [*(f"probes/{name}.json" for name in measured), *more]
    for folder, files in folders.items():
        written(watcher.console, folder, files)
    if json_:
        print(json.dumps(results))
