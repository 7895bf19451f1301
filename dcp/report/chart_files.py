"""The charts of a comparison or a run as files, for papers and slides: as on the page, but without its CSS."""

from pathlib import Path

from dcp.comparison.compare import Comparison
from dcp.errors import RequestError
from dcp.report.charts.canvas import FORMATS
from dcp.report.html.reports import charts
from dcp.runs.disk import atomic_write, make_folder
from dcp.runs.made_by_dcp import check_made_by_dcp
from dcp.runs.run import Run

FOLDER = "figures"


def check_figures(kind: str | None, out: Path | None) -> None:
    """Refuse what cannot be written, before any run is read.

    Raises:
        RequestError: "bad-option", no such format, or no folder for it; "files-exist", charts that are not dcp's.
    """
    if kind is None:
        return
    if kind not in FORMATS:
        hint = f"one of {', '.join(FORMATS)}"
        raise RequestError(f'"{kind}" is no format of a figure', slug="bad-option", where="--figures", hint=hint)
    if out is None:
        hint = f"--out DIR --figures {kind} writes them into DIR/{FOLDER}"
        raise RequestError("there is no folder to write figures into", slug="bad-option", where="--figures", hint=hint)
    check_made_by_dcp(out / FOLDER, sorted(path.name for path in (out / FOLDER).glob(f"*.{kind}")))


def write_charts(shown: Comparison | Run, kind: str, out: Path) -> list[Path]:
    """Write each chart into `out`/figures, in the format `kind` of `FORMATS`; the files.

    Raises:
        RequestError: "broken-run", a file of a run cannot be read; or "bad-folder".
        RunError: "disk-full" or "cannot-write".
    """
    make_folder(out / FOLDER)
    paths = []
    for drawing in charts(shown):
        paths.append(out / FOLDER / f"{drawing.chart.name}.{kind}")
        atomic_write(paths[-1], drawing.chart.file(kind, drawing.key))
    return paths
