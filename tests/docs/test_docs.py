"""What is documented exists, and what exists is documented."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from dcp import catalogue
from dcp.recipe import shipped

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
COMMAND = re.compile(r"^(?:\.venv/bin/)?(dcp [^#\n]*)", re.MULTILINE)


KINDS = ["predictors", "objectives", "targets", "positives"]


@pytest.mark.parametrize("folder", KINDS)
def test_every_variant_has_a_page_and_every_page_a_variant(folder: str) -> None:
    assert sorted(path.stem for path in (ROOT / "docs" / folder).glob("*.md")) == catalogue.names(folder)


@pytest.mark.parametrize("folder", KINDS)
def test_every_variant_has_a_row_in_the_catalogue(folder: str) -> None:
    page = (ROOT / "docs/catalogue.md").read_text(encoding="utf-8")
    assert [name for name in catalogue.names(folder) if f"[{name}]({folder}/{name}.md)" not in page] == []


@pytest.mark.parametrize("folder", ["objectives", "targets", "positives"])
def test_the_page_of_a_variant_names_its_source_its_keys_and_what_it_was_verified_against(folder: str) -> None:
    for name in catalogue.names(folder):
        text = (ROOT / "docs" / folder / f"{name}.md").read_text(encoding="utf-8")
        assert text.startswith(f"# {name}\n\n    ")
        assert all(f"**{part}" in text for part in ("Source", "How", "Keys", "Verified against", "Recipes"))
        keys = set(catalogue.load(folder, name).Config.model_fields) - {"name"}
        assert keys <= set(re.findall(r"`([a-z_0-9]+)`", text)), name


def test_every_kind_of_error_is_explained_and_every_explanation_is_of_one() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "dcp").rglob("*.py"))
    told = set(re.findall(r'slug="([a-z-]+)"', code))
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"`([a-z]+(?:-[a-z]+)+|diverged)`", page)) - {"run.json"}
    assert told - explained == set()
    assert explained - told == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_recipes_that_pages_name_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    data = "cifar10|cifar100|stl10|imagenette|imagenet"
    for name in set(re.findall(rf"`((?:{data})_[a-z0-9_]+|tiny/[a-z_]+|quickstart)`", text)):
        assert name in shipped.names(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_that_pages_show_have_options_and_overrides_that_exist(page: Path, dcp: Callable) -> None:
    for line in COMMAND.findall(page.read_text(encoding="utf-8")):
        words = shlex.split(line.split("&&")[0].split("|")[0].strip().removesuffix("`"))[1:]
        if not words or words[0] not in {"pretrain", "probe", "compare", "recipes", "theory"}:
            continue
        known = dcp(words[0], "--help").out
        assert [w for w in words if w.startswith("--") and w.partition("=")[0] not in known] == [], line
        if words[0] == "pretrain" and words[1] in {*shipped.names(), *shipped.studies()}:
            sets = [w for w in words[2:] if re.match(r"[a-z_]+\.[a-z_.]+=", w)]
            assert dcp("recipes", "check", words[1], *[x for s in sets for x in ("--set", s)]).code == 0, line


def test_help_names_every_command_of_the_readme(dcp: Callable) -> None:
    said = dcp("--help").out
    assert all(name in said for name in ("pretrain", "probe", "compare", "recipes", "theory"))


def test_the_project_names_the_licence_that_it_ships() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
