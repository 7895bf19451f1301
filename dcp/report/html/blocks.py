"""The blocks of a page as HTML: what the terminal and Markdown show, word for word."""

from html import escape

from dcp.report.html.document import Section, bullets
from dcp.report.page import Grid, Lines, Page


def sections(page: Page) -> list[Section]:
    """A section for each block of the page, in order."""
    return [Section(block.title, _body(block)) for block in page.content()]


def grid(block: Grid) -> str:
    """A table whose first column names its rows; each group is a body of its own."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' if name else "<td></td>" for name in block.columns)
    bodies = "".join(_group(heading, rows, len(block.columns)) for heading, rows in block.groups)
    kind = ' class="numbers"' if block.numbers else ""
    caption = f'<caption class="unseen">{escape(block.title)}</caption>' if block.title else ""
    table = f"<table{kind}>{caption}<thead><tr>{head}</tr></thead>{bodies}</table>"
    return f'<div class="scroll" role="region" aria-label="{escape(block.title)}" tabindex="0">{table}</div>'


def _body(block: Grid | Lines) -> str:
    return grid(block) if isinstance(block, Grid) else bullets(block.lines)


def _group(heading: str, rows: tuple[tuple[str, ...], ...], width: int) -> str:
    above = f'<tr><th scope="rowgroup" colspan="{width}">{escape(heading)}</th></tr>' if heading else ""
    return f"<tbody>{above}{''.join(map(_row, rows))}</tbody>"


def _row(cells: tuple[str, ...]) -> str:
    first, *rest = cells
    return f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
