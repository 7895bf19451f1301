"""A study is counted before it is built, and one mistake is told once, however many arms have it.

What is limited is the time of this thread: those of other tests may still be at work, and so may the collector of
garbage on what other tests left, which is looked through once before.
"""

import gc
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dcp.errors import Problems, RequestError
from dcp.studies.study import read

AXES = ("optimizer.lr", "optimizer.momentum", "optimizer.weight_decay", "views.flip", "views.jitter_p",
        "views.grayscale", "views.solarize", "predictor.eps")  # fmt: skip
EIGHT = 'extends = "tiny/directcopy"\n[study.axes]\n' + "".join(f"{key} = [0.1, 0.2, 0.3]\n" for key in AXES)
MANY = 'extends = "tiny/directcopy"\n[study.axes]\noptimizer.lr = [' + "0.5, " * 200_000 + "]\n"
ARMS = 'extends = "tiny/directcopy"\n[study.arms]\n' + "".join(f"a{i} = {{ optimizer.lrr = 1 }}\n" for i in range(3000))
LONG = 'extends = "tiny/directcopy"\n[study.axes]\nnetwork.backbone = ' + str([f"{'x' * 250}{i}" for i in range(500)])
ONE_MISTAKE = {
    "an unknown key on one of eight axes": (
        EIGHT.replace("predictor.eps", "optimizer.lrr"),
        "there is no key optimizer.lrr (mine.toml)",
    ),
    "a wrong last value of the first axis": (
        EIGHT.replace("0.3", "-3", 1),
        "optimizer.lr is -3 (mine.toml, for example arm lr-3-momentum0.1-weight_decay0.1-flip0.1-jitter_p0.1-",
    ),
    "a wrong value for all": (EIGHT + "[train]\nepochs = 0\n", "train.epochs is 0 (mine.toml)"),
    "3,000 arms with one unknown key": (ARMS, "there is no key optimizer.lrr (mine.toml)"),
    "200,000 values on an axis": (MANY, "the study has 200,000 arms (mine.toml)"),
    "names that are too long": (
        LONG,
        "has a name that no folder of a run can have, and 499 more like this (mine.toml)",
    ),
}


@pytest.mark.parametrize(("text", "said"), ONE_MISTAKE.values(), ids=ONE_MISTAKE)
def test_one_mistake_of_many_arms_is_told_once_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(text)
    gc.collect()
    started = time.thread_time()
    with pytest.raises(Problems) as refused:
        read("mine.toml")
    assert time.thread_time() - started < 1
    (problem,) = refused.value.problems
    assert said in str(problem)


def test_a_file_that_is_too_long_to_be_meant_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[study.arms]\n" + "".join(f"a{i} = {{ optimizer.lr = 0.1 }}\n" for i in range(200_000)))
    gc.collect()
    started = time.thread_time()
    with pytest.raises(RequestError, match="it has 6,488,903 bytes") as refused:
        read(str(path))
    assert time.thread_time() - started < 0.5
    assert refused.value.slug == "bad-file"


def test_what_goes_wrong_together_only_is_found_in_every_arm(tmp_path: Path) -> None:
    """Where no single value is wrong all arms are looked at, and named."""
    axes = "[study.axes]\ntrain.epochs = [9, 2]\noptimizer.warmup_epochs = [0, 3]"
    text = "\n".join(line for line in EIGHT.splitlines() if not line.startswith(("predictor.eps", "views.solarize")))
    path = tmp_path / "mine.toml"
    path.write_text(text.replace("[study.axes]", axes))
    with pytest.raises(Problems) as refused:
        read(str(path))
    assert "arms epochs2-warmup_epochs3-lr0.1" in str(refused.value)
    assert "and 726 more" in str(refused.value)


def test_runs_are_counted_too(tmp_path: Path, dcp: Callable) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'extends = "tiny/directcopy"\n[study.axes]\noptimizer.lr = ' + str([i / 1000 for i in range(1, 202)])
    )
    with pytest.raises(RequestError, match="the study has 100,500 runs: 201 arms with 500 seeds each"):
        read(str(path)).with_seeds(range(500))
    said = dcp("recipes", "check", path)
    assert "201 arms, 5 seeds, 1005 runs" in said.out


def test_of_many_problems_the_first_are_shown_and_the_others_counted() -> None:
    text = str(Problems([RequestError(f"{i} is wrong", slug="bad-value") for i in range(25)]))
    assert text.splitlines()[-2:] == ["error[bad-value]: 19 is wrong", "and 5 more problems"]
