"""The page as one file: sections under a title, a way to each of them, nothing fetched, nothing run."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import version

from dcp.errors import printable
from dcp.report.charts.canvas import swatch
from dcp.report.html.style import CSS
from dcp.report.page import Grid, Page

Key = Sequence[tuple[int, str]]  # style and label of each series


@dataclass(frozen=True)
class Section:
    """A part of the page with its heading."""

    title: str  # its heading
    body: str  # HTML; a section without any is left out
    missing: tuple[str, ...] = ()  # what could not be shown and why; whole sentences


def document(title: str, sections: Sequence[Section]) -> str:
    """The whole file; what the sections could not show stands at its end."""
    missing = tuple(dict.fromkeys(sentence for section in sections for sentence in section.missing))
    shown = [section for section in (*sections, Section("Not shown", bullets(missing))) if section.body]
    links, parts = "", []
    for i, section in enumerate(shown):
        if not section.title:
            parts.append(section.body)
            continue
        heading = f'<h2 id="part-{i}">{escape(section.title)}</h2>'
        links += f'<li><a href="#part-{i}">{escape(section.title)}</a></li>'
        parts.append(f'<section aria-labelledby="part-{i}">\n{heading}\n{section.body}\n</section>')
    body = "\n".join(parts)
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{CSS}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<h1>{escape(title)}</h1>
<nav aria-label="Contents"><ol>{links}</ol></nav>
</header>
<main id="main">
{body}
</main>
<footer>Written by dcp {escape(version("dcp"))}; every figure names the file that its numbers are in.</footer>
</body>
</html>
"""
    return "\n".join(map(printable, page.split("\n")))  # names of runs, classes and images are anybody's


def bullets(lines: Sequence[str]) -> str:
    """Sentences as a list, what stands between back ticks as code; "" without any."""
    items = (re.sub("`([^`]+)`", r"<code>\1</code>", escape(line)) for line in lines)
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>" if lines else ""


def figure(title: str, body: str, *, note: str = "", source: str = "", key: Key = (), wide: bool = False) -> str:
    """A figure with what it shows and how to read it above it, and below it its key and the source of its numbers.

    Args:
        title: what it shows.
        body: HTML.
        note: how to read it.
        source: file and keys behind it.
        key: its series; drawn where there are several.
        wide: over the whole page.
    """
    words = f"<b>{escape(title)}</b>{escape(note)}"
    entries = "".join(f"<li>{swatch(style)}{escape(label)}</li>" for style, label in key)
    below = f'<ul class="key">{entries}</ul>' if len(key) > 1 else ""
    below += f'<p class="source">Numbers: {escape(source)}</p>' if source else ""
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
