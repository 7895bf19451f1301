"""docs/recipe.md is made from the models, and says all that they say."""

from pathlib import Path

import pytest

from dcp import catalogue
from dcp.recipe import reference, schema
from dcp.recipe.recipe import File

PAGE = Path(__file__).parents[2] / "docs" / "recipe.md"
COMMAND = "python -m dcp.recipe.reference > docs/recipe.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.is_file(), f"run: {COMMAND}"
    assert PAGE.read_text(encoding="utf-8") == reference.markdown(), f"docs/recipe.md is out of date; run: {COMMAND}"


@pytest.mark.parametrize("section", list(File.model_fields))
def test_every_section_has_its_heading(section: str) -> None:
    assert f"\n## [{section}]\n" in reference.markdown()


@pytest.mark.parametrize(
    ("folder", "key"),
    [
        ("predictors", "predictor.name"),
        ("targets", "target.name"),
        ("objectives", "objective.name"),
        ("positives", "positives.name"),
        ("datasets", "data.source"),
        ("experiments", "theory.experiment"),
    ],
)
def test_every_variant_has_its_heading(folder: str, key: str) -> None:
    page = reference.markdown()
    for name in catalogue.names(folder):
        assert f'\n### {key} = "{name}"\n' in page


def test_every_key_stands_in_a_table_with_its_meaning() -> None:
    rows = [line for line in reference.markdown().splitlines() if line.startswith("| `")]
    found = [key for key in schema.walk(File) if "." in key.path and not key.path.startswith("probe.data.")]
    assert len(rows) == len(found)
    for key in found:
        name, meaning = (
            key.path.rpartition(".")[2],
            (key.field.description or "chooses this variant").replace("|", "\\|"),
        )
        assert any(row.startswith(f"| `{name}` |") and row.endswith(f"| {meaning} |") for row in rows), key.path


def test_a_row_has_type_default_bounds_and_meaning() -> None:
    rows = reference.markdown().splitlines()
    assert "| `rho` | number | `0.5` | ≥ 0, < 1 | ρ, weight of the past in F |" in rows
    assert any(row.startswith("| `crop_scale` | list of 2 numbers | `[0.08, 1.0]` | ≥ 0, ≤ 1 | ") for row in rows)
    assert any(row.startswith("| `flip` | number or list of 2 numbers | `0.5` | ≥ 0, ≤ 1 | ") for row in rows)
    assert any(
        row.startswith('| `stem` | `"imagenet"`, `"small"`, `"cifar-pad2"` | `"imagenet"` | - | ') for row in rows
    )
    assert any(row.startswith("| `lr_batch` | whole number | not set | ≥ 1 | ") for row in rows)
    assert any(row.startswith("| `root` | string | must be given | - | ") for row in rows)


def test_every_row_of_a_table_has_five_cells() -> None:
    for line in reference.markdown().splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 6, line
