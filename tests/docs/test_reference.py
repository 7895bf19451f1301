"""docs/recipe.md is made from the models, and says all that they say."""

from pathlib import Path

import pytest

from dcp import catalogue
from dcp.recipe import schema
from dcp.recipe.recipe import File
from docs import reference

PAGE = Path(__file__).parents[2] / "docs" / "recipe.md"
COMMAND = "python -m docs.pages"
KINDS = {
    "predictors": "predictor.name",
    "targets": "target.name",
    "objectives": "objective.name",
    "positives": "positives.name",
    "datasets": "data.source",
    "experiments": "theory.experiment",
}


def test_the_page_is_up_to_date() -> None:
    assert PAGE.is_file(), f"run: {COMMAND}"
    assert PAGE.read_text(encoding="utf-8") == reference.markdown(), f"docs/recipe.md is out of date; run: {COMMAND}"


def test_the_page_opens_with_the_fifteen_keys_that_people_change_each_as_its_section_has_it() -> None:
    assert len(set(reference.EVERYDAY)) == len(reference.EVERYDAY) == 15
    opening = reference.markdown().partition("\n## [run]\n")[0]
    listed = [line for line in opening.splitlines() if line.startswith("| [`")]
    assert [line.partition("`")[2].partition("`")[0] for line in listed] == list(reference.EVERYDAY)
    tables = schema.tables(File)
    for path, line in zip(reference.EVERYDAY, listed, strict=True):
        section, key = path.split(".")
        owners = [table for table in tables if table.path == section and key in table.keys]
        assert owners, path
        meanings = {table.keys[key]["description"] for table in owners}
        meanings.add(f"{owners[0].meaning}; {len(owners)} to choose from")
        assert any(line.endswith(f"| {meaning} |") for meaning in meanings), line


@pytest.mark.parametrize("section", list(File.model_fields))
def test_every_section_has_its_heading(section: str) -> None:
    assert f"\n## [{section}]\n" in reference.markdown()


@pytest.mark.parametrize("kind", KINDS)
def test_every_variant_has_its_heading_and_a_table_of_all_its_keys_with_their_meaning(kind: str) -> None:
    page = reference.markdown()
    for name in catalogue.names(kind):
        config = catalogue.load(kind, name).Config
        table = page.partition(f'\n### {KINDS[kind]} = "{name}"\n')[2].partition("\n#")[0]
        rows = reference.rows(config)
        assert table.endswith(reference.lines(rows))
        assert {row.key.strip("`") for row in rows} == set(config.model_fields)
        for key, field in config.model_fields.items():
            (row,) = [row for row in rows if row.key == f"`{key}`"]
            assert row.meaning == (field.description or "chooses this variant")


def test_every_key_of_a_recipe_stands_in_a_table() -> None:
    rows = [line for line in reference.markdown().splitlines() if line.startswith("| `")]
    tables = [table for table in schema.tables(File) if table.path not in ("", "probe.data")]
    assert len(rows) == sum(len(table.keys) for table in tables) > 300


def test_a_row_has_type_default_bounds_and_meaning() -> None:
    page = reference.markdown()
    assert "\n| `rho` | number | `0.5` | ≥ 0, < 1 | ρ, weight of the past in F |\n" in page
    for start in (
        "| `crop_scale` | list of 2 numbers | `[0.08, 1.0]` | ≥ 0, ≤ 1 | ",
        "| `flip` | number or list of 2 numbers | `0.5` | ≥ 0, ≤ 1 | ",
        '| `stem` | `"imagenet"`, `"small"`, `"small-stride2"`, `"cifar-pad2"` | `"imagenet"` | - | ',
        "| `lr_batch` | whole number | not set | ≥ 1, ≤ 1048576 | ",
        "| `root` | string | must be given | - | ",
    ):
        assert f"\n{start}" in page


def test_every_row_of_a_table_has_five_cells() -> None:
    for line in reference.markdown().partition("\n## [run]\n")[2].splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 6, line
