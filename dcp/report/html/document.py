"""The page as one file: what matters open under its title, the rest folded with a line each; nothing fetched or run."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import version

from dcp.errors import printable
from dcp.report.charts.canvas import Chart, Key
from dcp.report.charts.colours import swatch
from dcp.report.html.style import CSS
from dcp.report.page import Grid, Page
from dcp.runs.made_by_dcp import MARK


@dataclass(frozen=True)
class Drawing:
    """A chart with its words."""

    title: str  # what it shows
    chart: Chart
    note: str = ""  # how to read it
    source: str = ""  # file and keys behind it
    key: Key = ()  # its series; drawn where there are several
    wide: bool = False  # over the whole page


@dataclass(frozen=True)
class Section:
    """A part of the page with its heading."""

    title: str  # its heading; "" for none
    body: str  # HTML; a section without any is left out
    missing: tuple[str, ...] = ()  # what could not be shown and why; whole sentences
    drawings: tuple[Drawing, ...] = ()  # the charts in its body, for who wants them as files


@dataclass(frozen=True)
class Fold:
    """Sections that are folded until they are wanted."""

    title: str
    purpose: str  # what it is for, in a line
    sections: tuple[Section, ...]


def document(title: str, parts: Sequence[Section | Fold]) -> str:
    """The whole file; what the sections could not show stands at its end."""
    flat = [section for part in parts for section in (part.sections if isinstance(part, Fold) else (part,))]
    missing = tuple(dict.fromkeys(sentence for section in flat for sentence in section.missing))
    absent = Section("", bullets(missing))
    not_shown = Fold("Not shown", "What was not measured in these runs, and the command that measures it.", (absent,))
    body = "\n".join(filter(None, map(_part, (*parts, not_shown))))
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{CSS}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
</header>
<main>
{body}
</main>
<footer>{MARK} {escape(version("dcp"))}; every figure names the file that its numbers are in.</footer>
</body>
</html>
"""
    return "\n".join(map(printable, page.split("\n")))  # names of runs, classes and images are anybody's


def _part(part: Section | Fold) -> str:
    """A section, or folded ones; "" where there is nothing in them."""
    if isinstance(part, Section):
        heading = f"<h2>{escape(part.title)}</h2>\n" if part.title else ""
        return f"<section>\n{heading}{part.body}\n</section>" if heading and part.body else part.body
    inside = columns([section for section in part.sections if section.body], "h3", part.title)
    summary = f"<summary><h2>{escape(part.title)}</h2> <span>{escape(part.purpose)}</span></summary>"
    return f"<details>\n{summary}\n{inside}</details>" if inside else ""


def columns(parts: Sequence[Section], heading: str, said: str = "") -> str:
    """Sections beside each other where there is room, under headings of that kind, but for the title already `said`."""
    boxes = ""
    for part in parts:
        head = f"<{heading}>{escape(part.title)}</{heading}>\n" if part.title not in ("", said) else ""
        boxes += f"<div>{head}{part.body}</div>\n" if part.body else ""
    return f'<div class="sections">\n{boxes}</div>' if boxes else ""


def bullets(lines: Sequence[str]) -> str:
    """Sentences as a list, what stands between back ticks as code; "" without any."""
    items = (re.sub("`([^`]+)`", r"<code>\1</code>", escape(line)) for line in lines)
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>" if lines else ""


def chart_figure(drawing: Drawing) -> str:
    """A chart with what it shows and how to read it above it, and below it its key and the source of its numbers."""
    entries = "".join(f"<li>{swatch(style)}{escape(label)}</li>" for style, label in drawing.key)
    key = f'<ul class="key">{entries}</ul>' if len(drawing.key) > 1 else ""
    body = drawing.chart.svg() + key
    return figure(drawing.title, body, note=drawing.note, source=drawing.source, wide=drawing.wide)


def figure(title: str, body: str, *, note: str = "", source: str = "", wide: bool = False) -> str:
    """The same of any HTML."""
    words = f"<b>{escape(title)}</b>{escape(note)}"
    below = f'<p class="source">Numbers: {escape(source)}</p>' if source else ""
    frame = ' class="wide"' if wide else ""
    return f"<figure{frame}><figcaption>{words}</figcaption>{body}{below}</figure>"


def figures(parts: Sequence[str]) -> str:
    """Figures beside each other where there is room; "" without any."""
    return f'<div class="figures">{"".join(parts)}</div>' if parts else ""


def sections(page: Page) -> list[Section]:
    """A section for each block of a page, in order: what the terminal and Markdown show, word for word."""
    return [
        Section(block.title, grid(block) if isinstance(block, Grid) else bullets(block.lines))
        for block in page.content()
    ]


def stacked(parts: Sequence[Section]) -> Section:
    """Sections as one, below each other."""
    title, *_ = [part.title for part in parts] or [""]
    bodies = [part.body if part.title == title else f"<h3>{escape(part.title)}</h3>{part.body}" for part in parts]
    return Section(title, "".join(bodies))


def grid(block: Grid) -> str:
    """A table whose first column names its rows; each group is a body of its own."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' if name else "<td></td>" for name in block.columns)
    bodies = ""
    for heading, rows in block.groups:
        width = len(block.columns)
        body = f'<tr><th scope="rowgroup" colspan="{width}">{escape(heading)}</th></tr>' if heading else ""
        for name, *cells in rows:
            cells_html = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
            body += f'<tr><th scope="row">{escape(name)}</th>{cells_html}</tr>'
        bodies += f"<tbody>{body}</tbody>"
    kind = ' class="numbers"' if block.numbers else ""
    caption = f'<caption class="unseen">{escape(block.title)}</caption>' if block.title else ""
    return scrolling(block.title, f"<table{kind}>{caption}<thead><tr>{head}</tr></thead>{bodies}</table>")


def scrolling(label: str, table: str) -> str:
    """A table in a box that scrolls sideways, also by keys."""
    return f'<div class="scroll" role="region" aria-label="{escape(label)}" tabindex="0">{table}</div>'
