"""The file as a whole: it can be read without a network, a mouse or eyes, whatever the runs hold."""

import re
from functools import cache, partial
from itertools import pairwise

import numpy as np
import pytest
from reported import Page, bare, curves, pictures, whole

from dcp.comparison.compare import compare
from dcp.report import render
from dcp.report.comparison_page import comparison_page
from dcp.report.html import reports

HOSTILE = "<script>alert('x')</script>\"&$x$"


def arms(full, *names, seeds=1):
    """Runs of arms that differ in their predictor, each a little worse than the one before."""
    return [full(name, seed, predictor=name, wrong=6 + 3 * i) for i, name in enumerate(names) for seed in range(seeds)]


def unfinished(root):
    early = bare(root, "b", status="failed", why="the loss is not finite at step 1")
    early.append({"kind": "step", "step": 0, "epoch": 0, "loss": -1.0})
    return reports.comparison_html(compare([whole(root), early]))


def unlabelled(root):
    run = bare(root)
    curves(run)
    pictures(run, labels=False)
    return reports.run_html(run)


PAGES = {
    "one arm": lambda root: reports.comparison_html(compare(arms(partial(whole, root), "a", seeds=2))),
    "two arms": lambda root: reports.comparison_html(compare(arms(partial(whole, root), "a", "b", seeds=3))),
    "ten arms": lambda root: reports.comparison_html(compare(arms(partial(whole, root), *"abcdefghij"))),
    "unfinished": unfinished,
    "unlabelled": unlabelled,
    "nothing": lambda root: reports.comparison_html(compare([bare(root, n, status="running") for n in "ab"])),
    "one run": lambda root: reports.run_html(whole(root)),
    "empty run": lambda root: reports.run_html(bare(root, status="running")),
}


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    return cache(lambda name: PAGES[name](tmp_path_factory.mktemp("runs")))


@pytest.fixture(params=PAGES)
def page(request, written) -> str:
    return written(request.param)


def test_it_is_well_formed(page):
    read = Page(page)
    assert page.startswith("<!DOCTYPE html>\n")
    assert read.all("html") == [{"lang": "en"}]
    assert len(read.all("main")) == len(read.all("h1")) == 1


def test_it_asks_for_nothing_from_elsewhere_and_runs_nothing(page):
    read = Page(page)
    assert "http" not in page
    assert "@import" not in page
    assert not [tag for tag, _ in read.elements if tag in ("script", "link", "iframe", "object", "embed", "form")]
    assert not [name for _, attributes in read.elements for name in attributes if name.startswith("on")]
    addresses = [
        value or "" for _, attributes in read.elements for name, value in attributes.items() if name in ("href", "src")
    ]
    assert not [one[:40] for one in addresses if not one.startswith(("#", "data:image/"))]
    assert not re.findall(r"url\((?!#)", page)


def test_every_identifier_is_there_once_and_every_reference_leads_to_one(page):
    read = Page(page)
    names = [value for _, attributes in read.elements for name, value in attributes.items() if name == "id"]
    assert len(names) == len(set(names))
    links = {value[1:] for _, a in read.elements for name, value in a.items() if name == "href" and value[0] == "#"}
    labels = {value for _, a in read.elements for name, value in a.items() if name == "aria-labelledby"}
    assert links | labels | set(re.findall(r"url\(#([^)]+)\)", page)) <= set(names)


def test_headings_skip_no_level_and_none_comes_twice(page):
    read = Page(page)
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(next_one <= one + 1 for one, next_one in pairwise(levels))
    headings = [words for tag, words in read.words if tag == "h2"]
    assert len(headings) == len(set(headings))


def test_it_opens_with_the_answer_and_everything_folded_says_what_it_is_for(page):
    (start,) = re.findall(r"<main>\s*<p class=\"lead\">([^<]+)", page)
    assert start.strip().endswith(".")
    folded = re.findall(r"<details>\n<summary><h2>([^<]+)</h2> <span>([^<]+)</span></summary>", page)
    assert len(folded) == page.count("<details>\n") > 0
    assert all(purpose.endswith(".") and purpose != title for title, purpose in folded)
    assert "<nav" not in page


def test_whoever_does_not_see_is_told(page):
    read = Page(page)
    assert read.all("img") == []
    outer = [svg for svg in read.all("svg") if not {"x", "y"} <= svg.keys()]  # the others are parts of a map
    for svg in outer:
        assert svg.get("aria-hidden") == "true" or (svg.get("role") == "img" and svg.get("aria-label")), svg
    assert len(read.all("table")) == len(read.all("caption"))
    assert {cell.get("scope") for cell in read.all("th")} <= {"row", "col", "rowgroup"}
    assert all("tabindex" in box for box in read.all("div") if box.get("class") == "scroll")


def test_no_chart_is_empty(page):
    for chart in re.findall(r'<svg class="chart".*?</svg>', page, flags=re.DOTALL):
        drawing = chart[chart.index("</desc>") :]
        assert re.search(r"(?:stroke|fill): (?:var\(--s\d|hsl\()", drawing)
        assert "nan" not in drawing.lower()


def test_what_is_missing_is_named_with_the_way_to_it(make):
    text = Page(reports.run_html(make("a", status="running"))).text
    for words in ("Loss: no run has", "dcp probe RUN -e pictures", "dcp probe RUN -e spectrum", "Confusion matrix: no"):
        assert words in text, words


def test_nothing_is_missing_from_runs_that_have_everything(full):
    assert "Not shown" not in Page(reports.comparison_html(compare(arms(full, "a", "b", seeds=2)))).text
    assert "Not shown" not in Page(reports.run_html(full("c"))).text


def test_the_first_screen_has_each_arm_with_its_score_state_and_cost_and_then_come_the_pictures(full):
    page = reports.comparison_html(compare(arms(full, "a", "b", seeds=3)))
    opening = " ".join(re.sub("<[^>]+>", " ", page[page.index("<main>") : page.index("Nearest neighbours")]).split())
    for words in (
        "linear top1 of each arm",
        "What it does not say",
        "predictor.name",
        "state time images/s",
        "30.0 s",
        "untrained",
    ):
        assert words in opening, words
    assert page.index("What the network saw") < page.index("<details>\n")


def test_the_same_runs_give_the_same_bytes(full):
    comparison = compare(arms(full, "a", "b"))
    assert reports.comparison_html(comparison) == reports.comparison_html(comparison)


def test_what_runs_call_themselves_stays_text(full):
    first, second = full("a"), full("b", predictor="linear", why=HOSTILE, status="failed")
    for run in (first, second):
        run.update(name=f"{HOSTILE}{run.seed}{run.path.name}")
        probe = run.probes()["pictures"].model_dump(exclude_unset=True)
        arrays = run.predictions("pictures")
        run.write_probe("pictures", {**probe, "extra": {**probe["extra"], "classes": [HOSTILE] * 3}}, arrays)
    for text in (reports.comparison_html(compare([first, second])), reports.run_html(second)):
        read = Page(text)
        assert "script" not in {tag for tag, _ in read.elements}
        assert HOSTILE in read.text


def test_the_words_are_those_of_the_markdown(full):
    comparison = compare(arms(full, "a", "b"))
    marks = str.maketrans(dict.fromkeys("|#*\\`", " "))
    markdown = (
        render.page_markdown(comparison_page(comparison))
        .replace("---:", "")
        .replace("---", "")
        .translate(marks)
        .split()
    )
    html = Page(reports.comparison_html(comparison)).text.translate(marks).split()
    assert set(markdown) - set(html) == {"-"} - set(html)


def test_a_report_of_ten_runs_stays_small_whatever_their_pictures(make):
    runs = []
    for i in range(10):
        runs.append(make(f"run{i}"))
        runs[-1].append({"kind": "step", "step": 0, "epoch": 0, "loss": 1.0})
        pictures(runs[-1], seed=i)
        arrays, draw = runs[-1].predictions("pictures"), np.random.default_rng(i)
        noise = {"map_image": (256, 3, 32, 32), "near_image": (8, 6, 3, 48, 48), "viewed_views": (8, 4, 3, 48, 48)}
        for name, shape in noise.items():
            arrays[name] = draw.integers(0, 256, shape).astype(np.uint8)
        for name, last in {"map_row": 256, "map_label": 256}.items():
            arrays[name] = np.arange(last) % 3
        arrays["map_xy"] = draw.normal(size=(256, 2)).astype(np.float32)
        runs[-1].write_probe("pictures", runs[-1].probes()["pictures"].model_dump(exclude_unset=True), arrays)
    page = reports.comparison_html(compare(runs))
    assert 1_000_000 < len(page.encode()) < 3_000_000
    assert "the page has no room for more pictures" in Page(page).text
