"""Draws pages: for the terminal (rich) and as Markdown. What stands on them is said elsewhere."""

import json
import re
from dataclasses import asdict
from typing import Any

from dcp.comparison.compare import Comparison
from dcp.comparison.intervals import LEVEL
from dcp.report.caveats import caveats, covers
from dcp.report.comparison_page import comparison_page
from dcp.report.page import Lines, Page, one_line
from dcp.report.summary_page import summary_page
from dcp.report.terminal import TerminalPage
from dcp.runs.json_files import to_json
from dcp.runs.run import Run

SCHEMA = 1  # of comparison.json
# What means something in Markdown, or in GitHub's: signs, underscores at the end of a word, HTML entities, and what
# makes addresses of text: "https:" before "//", the first dot behind "www", @ where a dot follows.
SIGNS = re.compile(
    r"[\\|*<`\[\]!#~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)|(?<=\w):(?=//)|(?i:(?<=\bwww))\.|@(?=[\w-]*\.)"
)
OPENS = re.compile(r"^(\d{0,9})([-+>=.)])(?=\W|$)")  # what begins a list, a quotation or a rule in a line
BEHIND = r"\1\\\2"  # a backslash


def table(comparison: Comparison, *, scores_only: bool = False) -> TerminalPage:
    """A comparison for the terminal, with the main scores of each evaluation, maybe these alone; fits its width."""
    return terminal(comparison_page(comparison, scores_only=scores_only, every_score=False))


def markdown(comparison: Comparison) -> str:
    """A comparison as Markdown with every score, without anything that only one renderer knows."""
    return page_markdown(comparison_page(comparison))


def plain(comparison: Comparison) -> dict[str, Any]:
    """A comparison as comparison.json holds it: plain values, no tuple, and null for what is not finite."""
    scores = [asdict(row) for row in comparison.scores]
    for row, table in zip(comparison.scores, scores, strict=True):
        for difference, entry in zip(row.differences, table["differences"], strict=True):
            entry["verdict"] = difference.verdict
    content = {
        "schema": SCHEMA,
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
    parts = [f"# {_escaped(one_line(page.title))}"]
    for block in page.content():
        parts += [f"## {_escaped(one_line(block.title))}"] if block.title else []
        if isinstance(block, Lines):
            lines = (OPENS.sub(BEHIND, _escaped(line.strip())) for line in block.lines)
            parts.append("\n".join(f"- {line}" for line in lines))
            continue
        rule = ["---", *["---:" if block.numbers else "---"] * (len(block.columns) - 1)]
        for heading, rows in block.groups:
            parts += [f"**{_escaped(heading.strip())}**"] if heading else []
            row_cells = [list(map(_escaped, block.columns)), rule, *(map(_escaped, row) for row in rows)]
            parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in row_cells))
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    """The text as Markdown that shows it as it is: what a run is called makes no link, picture, heading or cell."""
    return SIGNS.sub(r"\\\g<0>", text)
