"""Draws pages: for the terminal (rich) and as Markdown. What stands on them is said elsewhere."""

import json
from dataclasses import asdict
from typing import Any

from dcp.comparison.compare import Comparison
from dcp.comparison.intervals import LEVEL
from dcp.report import tables
from dcp.report.answer import answer
from dcp.report.caveats import caveats, covers
from dcp.report.comparison_page import comparison_page
from dcp.report.escapes import in_markdown, line_in_markdown
from dcp.report.page import Lines, Page, one_line
from dcp.report.result import result_table
from dcp.report.summary_page import summary_page
from dcp.report.terminal import TerminalPage, TerminalTable
from dcp.runs.json_files import to_json
from dcp.runs.run import Run

SCHEMA = 1  # of comparison.json


def table(comparison: Comparison, *, scores_only: bool = False) -> TerminalPage:
    """A comparison for the terminal, with the main scores of each evaluation, maybe these alone; fits its width."""
    return terminal(comparison_page(comparison, scores_only=scores_only, every_score=False))


def result(comparison: Comparison) -> TerminalTable:
    """What a comparison comes to, for the terminal: the answer and the table of its arms; fits its width."""
    return TerminalTable(answer(comparison).lines, result_table(comparison))


def care(comparison: Comparison) -> TerminalPage | None:
    """What takes care in a comparison, for the terminal; None where nothing does."""
    said = caveats(comparison)
    return terminal(Page("", (Lines("Take care", said),))) if said else None


def markdown(comparison: Comparison) -> str:
    """A comparison as Markdown: the answer, the table of its arms, and then everything."""
    page = comparison_page(comparison)
    sentences = "\n\n".join(map(line_in_markdown, answer(comparison).lines))
    opening = f"{sentences}\n\n{tables.markdown(result_table(comparison))}"
    head, title, rest = page_markdown(page).partition("\n\n")
    return f"{head}{title}{opening}\n{rest}"


def plain(comparison: Comparison) -> dict[str, Any]:
    """A comparison as comparison.json holds it: plain values, no tuple, and null for what is not finite."""
    scores = [asdict(row) for row in comparison.scores]
    for row, table in zip(comparison.scores, scores, strict=True):
        for difference, entry in zip(row.differences, table["differences"], strict=True):
            entry["verdict"] = difference.verdict if row.role == "primary" else None
    content = {
        "schema": SCHEMA,
        "primary": ".".join(comparison.primary_name),
        "answer": answer(comparison).lines,
        "arms": [asdict(arm) for arm in comparison.arms],
        "scores": scores,
        "settings": [asdict(setting) for setting in comparison.settings],
        "covers": covers(comparison),
        "caveats": caveats(comparison),
        "level": LEVEL,
        "equal_time": [asdict(readout) for readout in comparison.equal_time],
    }
    values: dict[str, Any] = json.loads(to_json(content))
    return values


def summary(run: Run, *, scores_only: bool = False) -> TerminalPage:
    """What a run came to, for the terminal, with the main scores of each evaluation."""
    return terminal(summary_page(run, scores_only=scores_only, every_score=False))


def terminal(page: Page) -> TerminalPage:
    """Any page for the terminal; fits its width."""
    return TerminalPage(page)


def page_markdown(page: Page) -> str:
    """Any page as Markdown."""
    parts = [f"# {in_markdown(one_line(page.title))}"]
    for block in page.content():
        parts += [f"## {in_markdown(one_line(block.title))}"] if block.title else []
        if isinstance(block, Lines):
            lines = (line_in_markdown(line) for line in block.lines)
            parts.append("\n".join(f"- {line}" for line in lines))
            continue
        rule = ["---", *["---:" if block.numbers else "---"] * (len(block.columns) - 1)]
        for heading, rows in block.groups:
            parts += [f"**{in_markdown(heading.strip())}**"] if heading else []
            row_cells = [list(map(in_markdown, block.columns)), rule, *(map(in_markdown, row) for row in rows)]
            parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in row_cells))
    return "\n\n".join(parts) + "\n"
