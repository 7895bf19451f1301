"""The blocks of a page as HTML: what the terminal and Markdown show, word for word."""

from html import escape

from dcp.report.html.document import Section, bullets
from dcp.report.page import Grid, Page


def sections(page: Page) -> list[Section]:
    """A section for each block of the page, in order."""
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
