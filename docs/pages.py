"""The pages of the variants and the tables of the catalogue, written from docstrings: `python -m docs.pages`.

What is said about a variant stands in the docstring of its file and nowhere else:

    NAME: what it is (authors year, arXiv).   the first line, alone: its row in the catalogue
    an indented block                         the formula
    Source: ..., Held to: ..., and so on      paragraphs under LABELS; "Held to" stands in the row too
    Unverified: ...                           a dagger in the row and on the page; what it says stands in sources.md

Its page adds the keys of its Config, the shipped recipes that choose it, and its cost where that was measured.
"""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from math import inf
from pathlib import Path

from dcp import catalogue
from dcp.cli.completion import KEYS
from dcp.recipe import layers, schema, shipped
from dcp.recipe.recipe import Recipe
from docs import choosing, functions, reference

DOCS = Path(__file__).parent
SECTIONS = {"predictors": "predictor", "objectives": "objective", "targets": "target", "positives": "positives"}
LABELS = re.compile(r"^(Source|Unverified|Differs|Look at|Published|Held to):", re.MULTILINE)
UNVERIFIED = re.compile(rf"^Unverified: (.*?)\n(?={LABELS.pattern}|$)", re.MULTILINE | re.DOTALL)
PRINTED = {
    "Held to": "Tested against",
    "Look at": "What to watch",
    "Differs": "Differences",
}  # of LABELS, else as it is
TABLE = re.compile(r"(<!-- made by docs.pages: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
MEASURED = "results/2026-11-23-cpu-1-core-catalogue.json"
RENAMED = {"projector": "top_k"}  # since then
COLUMNS = {  # of a table of costs: what it says, and the group of the benchmark that it is from
    "predictors": {"setting W": "predictor update", "forward and backward": "predictor forward and backward"},
    "objectives": {"forward and backward, both directions": "objective, batch 256"},
}
DIMS = ("128", "2048")


def pages() -> dict[str, str]:
    """Each generated page by its path below docs/; of three pages the parts between marks are generated."""
    texts = {"recipe.md": reference.markdown(), "python.md": functions.markdown()}
    texts |= {f"{kind}/{name}.md": page(kind, name) for kind in SECTIONS for name in catalogue.names(kind)}
    tables = {kind: rows(kind) for kind in SECTIONS}
    tables |= {f"cost of {kind}": costs(kind, catalogue.names(kind)) for kind in COLUMNS}
    tables["unverified"] = unverified()
    tables |= choosing.tables()
    for path in ("catalogue.md", "sources.md", "choosing.md"):
        text = (DOCS / path).read_text(encoding="utf-8")
        texts[path] = TABLE.sub(lambda match: f"{match[1]}\n{tables[match[2]]}\n{match[3]}", text)
    return texts


def page(kind: str, name: str) -> str:
    """The docstring as Markdown, with recipes, keys and cost; names of other variants in it become links."""
    kinds = {other: each for each in SECTIONS for other in catalogue.names(each) if other != name}

    def link(match: re.Match[str]) -> str:
        return f"[{match[1]}](../{kinds[match[1]]}/{match[1]}.md)" if match[1] in kinds else match[0]

    variant = catalogue.load(kind, name)
    dagger = f"† Part of this is unverified: [what, and why](../sources.md#{name}).\n"
    text = UNVERIFIED.sub(f"\n{dagger}", str(variant.__doc__))
    paragraphs = LABELS.sub(lambda match: f"\n**{PRINTED.get(match[1], match[1])}:**", text).split("\n\n")
    parts = [text if text.startswith("    ") else re.sub(r"`([a-z0-9_]+)`", link, text) for text in paragraphs]
    default = layers.DEFAULTS.get(SECTIONS[kind]) == name
    chosen = "all that name no other" if default else ", ".join(f"`{r}`" for r in recipes()[SECTIONS[kind], name])
    parts.append(f"**Recipes:** {chosen}.")
    keys = reference.rows(variant.Config)[1:]  # without `name`
    parts.append(f"**Keys:**\n\n{reference.lines(keys)}" if keys else "**Keys:** none.")
    if kind in COLUMNS and name in measured():
        beside = "[beside the others](../catalogue.md#what-they-cost)"
        parts.append(f"**Cost** on one CPU core, {beside}:\n\n{costs(kind, [name])}")
    return "\n\n".join((f"# {name}", *(text.strip("\n") for text in parts))) + "\n"


def rows(kind: str) -> str:
    """A kind's table in the catalogue."""
    cells = []
    for name in catalogue.names(kind):
        text = str(catalogue.load(kind, name).__doc__)
        what, held = text.partition("\n")[0].partition(": ")[2], " ".join(text.partition("\nHeld to: ")[2].split())
        dagger = " †" if "\nUnverified: " in text else ""
        cells.append([f"[{name}]({kind}/{name}.md){dagger}", what.rstrip("."), held.rstrip(".")])
    return reference.markdown_table(("name", "what it is", "tested against"), cells)


def unverified() -> str:
    """What variants say of themselves that could not be checked in their papers, one heading each."""
    parts = []
    for kind in SECTIONS:
        for name in catalogue.names(kind):
            if match := UNVERIFIED.search(str(catalogue.load(kind, name).__doc__)):
                parts.append(f"### {name}\n\n[{name}]({kind}/{name}.md): {' '.join(match[1].split())}\n")
    return "\n".join(parts)


def costs(kind: str, names: Sequence[str]) -> str:
    """The times of variants of a kind, the cheapest at the largest D first."""
    columns = [f"{group}, d = {dim}" for group in COLUMNS[kind].values() for dim in DIMS]
    times = {name: [measured()[name].get(column, inf) for column in columns] for name in names if name in measured()}
    order = sorted(times, key=lambda name: times[name][1::2])
    cells = [[name, *map(shown, times[name])] for name in order]
    return reference.markdown_table(["", *(f"{what}, D = {dim}" for what in COLUMNS[kind] for dim in DIMS)], cells)


def keys() -> str:
    """What the Tab key completes: a line for each key, and after a tab its values where these are a few."""
    values: dict[str, list[str]] = {}
    for table in schema.tables(Recipe):
        for name, key in table.keys.items():
            of = values.setdefault(f"{table.path}.{name}".lstrip("."), [])
            for each in (key, *schema.inside(key)):
                found = each.get("enum", [each["const"]] if "const" in each else [])
                found = ["false", "true"] if each.get("type") == "boolean" else found
                of += [str(value) for value in found if str(value) not in of]
    tables = {table.path for table in schema.tables(Recipe)}
    lines = [f"{name}\t{' '.join(of)}".rstrip() for name, of in sorted(values.items()) if name not in tables]
    return "\n".join(lines) + "\n"


@cache
def recipes() -> dict[tuple[str, str], list[str]]:
    """The shipped recipes that choose a variant, by section and name."""
    chosen = defaultdict(list)
    for recipe in shipped.names():
        table, _ = layers.load(recipe)
        for section in SECTIONS.values():
            chosen[section, table.get(section, {}).get("name", "")].append(recipe)
    return chosen


@cache
def measured() -> dict[str, dict[str, float]]:
    """Seconds by variant and group of the benchmark."""
    seconds: dict[str, dict[str, float]] = defaultdict(dict)
    for row in json.loads((DOCS / MEASURED).read_text(encoding="utf-8"))["rows"]:
        seconds[RENAMED.get(row["name"], row["name"])][row["group"]] = 1 / row["value"]["median"]
    return seconds


def shown(seconds: float) -> str:
    """A time to two figures, in milliseconds or seconds; nothing for infinity, which was not measured.

    >>> shown(0.00032), shown(0.525), shown(1.24)
    ('0.32 ms', '525 ms', '1.2 s')
    """
    value, unit = (seconds, "s") if seconds >= 1 else (1000 * seconds, "ms")
    return "" if seconds == inf else f"{value:.0f} {unit}" if value >= 9.95 else f"{value:#.2g} {unit}"


if __name__ == "__main__":
    for path, text in pages().items():
        (DOCS / path).write_text(text, encoding="utf-8", newline="\n")
    KEYS.write_text(keys(), encoding="utf-8", newline="\n")
