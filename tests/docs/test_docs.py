"""What is documented exists, and what exists is documented."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import pytest

from dcp import catalogue
from dcp.recipe import shipped
from dcp.studies.study import read as read_study
from docs import choosing, pages

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
COMMAND = re.compile(r"^(?:\.venv/bin/)?(dcp [^#\n]*)", re.MULTILINE)

variants = pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in pages.SECTIONS for name in catalogue.names(kind)]
)


@variants
def test_a_docstring_has_a_first_line_for_the_catalogue_a_formula_and_ends_with_what_it_is_held_to(
    kind: str, name: str
) -> None:
    text = str(catalogue.load(kind, name).__doc__)
    first, *paragraphs = text.split("\n\n")
    assert re.fullmatch(r"[^:\n]{2,40}: [^\n]{10,}\.", first), 'the first line is "NAME: what it is (authors year)."'
    assert any(each.startswith("    ") for each in paragraphs), "the formula is a paragraph, indented by four spaces"
    held = text.partition("\nHeld to: ")[2].strip()
    assert 0 < len(held) <= 200, '"Held to: " stands at the beginning of a line and takes two lines at most'
    assert not re.search(f"\n\n|{pages.LABELS.pattern}", held, re.MULTILINE), '"Held to: " is the last paragraph'


def test_the_pages_are_those_that_the_docstrings_give() -> None:
    made = pages.pages()
    files = {path.relative_to(pages.DOCS).as_posix(): path for path in PAGES if path.is_relative_to(pages.DOCS)}
    stale = [path for path, text in made.items() if path not in files or files[path].read_text("utf-8") != text]
    assert stale == [], "run: python -m docs.pages"
    assert [path for path in files if path.partition("/")[0] in pages.SECTIONS and path not in made] == []


def test_the_figures_by_which_to_choose_are_of_the_studies_as_they_ship() -> None:
    measured = json.loads(choosing.MEASURED.read_text(encoding="utf-8"))
    assert measured["settings"] == choosing.settings(), "measure them again: see the end of docs/choosing.md"
    for name, arms in measured["studies"].items():
        study = read_study(f"studies/{name}")
        assert [*arms] == [arm.name for arm in study.arms]
        assert {len(arm["values"]) for arm in arms.values()} == {len(study.seeds)}


def test_a_method_is_shown_at_the_better_of_its_rates_with_the_runs_that_collapsed_counted() -> None:
    measured = json.loads(choosing.MEASURED.read_text(encoding="utf-8"))
    glyphs = measured["studies"]["newer"]
    rows = {row.split(" | ")[0].strip("| "): row for row in choosing.tables()["scores of methods"].splitlines()}
    for name in measured["cost"]:
        better, other = sorted((mean(glyphs[f"{name}-{rate}"]["values"]) for rate in choosing.RATES), reverse=True)
        assert rows[name].split(" | ")[1].startswith(f"{100 * better:.1f} [")
        assert rows[name].split(" | ")[2] == f"{100 * other:.1f}"


@variants
def test_every_variant_has_a_row_in_the_catalogue(kind: str, name: str) -> None:
    (row,) = [line for line in pages.pages()["catalogue.md"].splitlines() if f"[{name}]({kind}/{name}.md)" in line]
    assert row.replace("\\|", "").count("|") == 4


def test_a_page_names_the_recipes_that_choose_the_variant_through_those_that_they_extend() -> None:
    assert "[predictor]" not in shipped.read(shipped.find("tiny/group_norm"))
    assert "`tiny/group_norm`" in pages.page("predictors", "directcopy")
    assert "`tiny/linear`" not in pages.page("predictors", "directcopy")


def test_every_evaluation_has_a_row_in_the_page_of_the_evaluations() -> None:
    page = (ROOT / "docs/evaluation.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| \[?`([a-z0-9_]+)`", page, re.MULTILINE))
    assert set(catalogue.names("evaluations")) - rows == set()


def test_every_kind_of_error_is_explained_and_every_explanation_is_of_one() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "dcp").rglob("*.py"))
    told = set(re.findall(r'(?:slug=|refusal\()"([a-z-]+)"', code))
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"`([a-z]+(?:-[a-z]+)+|diverged)`", page)) - {"run.json"}
    assert told - explained == set()
    assert explained - told == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^):]*))?\)", page.read_text(encoding="utf-8")):
        path = page.parent / target if target else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """Of the headings of a page, as GitHub and the site make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


def test_the_menu_of_the_site_has_every_page_but_those_of_the_variants_once() -> None:
    menu = re.findall(r'= "([a-z/-]+\.md)" }', (ROOT / "zensical.toml").read_text(encoding="utf-8"))
    files = [path.relative_to(pages.DOCS).as_posix() for path in PAGES if path.is_relative_to(pages.DOCS)]
    assert sorted(menu) == [file for file in files if file.partition("/")[0] not in {*pages.SECTIONS, "results"}]


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


def test_what_is_unverified_stands_on_one_page() -> None:
    made = pages.pages()
    unverified = [
        (kind, name) for kind in pages.SECTIONS for name in catalogue.names(kind) if "†" in made[f"{kind}/{name}.md"]
    ]
    assert len(unverified) > 5
    for kind, name in unverified:
        assert f"(../sources.md#{name})" in made[f"{kind}/{name}.md"]
        assert f"\n### {name}\n" in made["sources.md"]
    hidden = re.compile(r"not at hand|Unverified:")
    assert [path for path, text in made.items() if path != "sources.md" and hidden.search(text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_recipes_that_pages_name_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    data = "cifar10|cifar100|stl10|imagenette|imagenet"
    for name in set(re.findall(rf"`((?:{data})_[a-z0-9_]+|tiny/[a-z_]+|quickstart)`", text)):
        assert name in shipped.names(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_that_pages_show_have_options_and_overrides_that_exist(page: Path, dcp: Callable) -> None:
    for line in COMMAND.findall(page.read_text(encoding="utf-8")):
        words = shlex.split(re.split(r"&&|\|| -- ", line)[0].strip().removesuffix("`"))[1:]
        if not words or words[0] not in {"pretrain", "probe", "compare", "embed", "export", "recipes", "theory"}:
            continue
        known = dcp(words[0], "--help").out
        assert [w for w in words if w.startswith("--") and w.partition("=")[0] not in known] == [], line
        if words[0] == "pretrain" and words[1] in {*shipped.names(), *shipped.studies()}:
            sets = [w for w in words[2:] if re.match(r"[a-z_]+\.[a-z_.]+=", w)]
            assert dcp("recipes", "check", words[1], *[x for s in sets for x in ("--set", s)]).code == 0, line


def test_a_copied_recipe_names_the_schema_that_the_page_says_how_to_write(tmp_path: Path, dcp: Callable) -> None:
    assert dcp("recipes", "copy", "cifar10_directcopy", tmp_path / "mine.toml").code == 0
    first = (tmp_path / "mine.toml").read_text(encoding="utf-8").partition("\n")[0]
    page = (ROOT / "docs/recipe.md").read_text(encoding="utf-8")
    assert first == "#:schema ./dcp.schema.json"
    assert f"`{first}`" in page
    assert "dcp recipes schema > dcp.schema.json" in page
    assert json.loads(dcp("recipes", "schema").out)["type"] == "object"


def test_help_names_every_command_of_the_readme(dcp: Callable) -> None:
    assert {"pretrain", "probe", "compare", "embed", "export", "recipes", "theory"} <= set(dcp("--help").out.split())


def test_the_citation_is_of_the_version_of_the_project() -> None:
    (version,) = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in citation
    assert "\nlicense: Apache-2.0\n" in citation


def test_the_project_names_the_licence_that_it_ships() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()


def test_scripts_for_slurm_give_srun_the_cores_and_say_how_many_processes_there_are() -> None:
    scripts = re.findall(r"```bash\n(#!/bin/bash\n.*?)```", (ROOT / "docs/clusters.md").read_text(), re.DOTALL)
    assert len(scripts) == 2
    for script in scripts:
        assert "#SBATCH --cpus-per-task=" in script
        assert re.search("#SBATCH --ntasks(-per-node)?=", script)
        sruns = [line for line in script.splitlines() if line.startswith("srun ")]
        assert sruns
        assert all('--cpus-per-task="$SLURM_CPUS_PER_TASK"' in line for line in sruns)
