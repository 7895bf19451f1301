"""A command line that is wrong is answered as a recipe that is wrong is: slug, place, and what would be right."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dcp.probing.evaluations import linear

PRETRAIN = ("pretrain", "tiny/directcopy")
ANSWERS = {
    (): None,
    ("nope",): (
        'there is no command "nope" (dcp)',
        "there are pretrain, probe, compare, embed, export, theory, recipes",
    ),
    ("pretrian", "x"): ('there is no command "pretrian" (dcp)', "did you mean pretrain?"),
    ("train", "x"): ('there is no command "train" (dcp)', "did you mean pretrain?"),
    ("tiny/mlp",): ('there is no command "tiny/mlp" (dcp)', "this is a recipe: dcp pretrain tiny/mlp"),
    ("recipes", "shw"): ('there is no command "shw" (dcp recipes)', "did you mean show?"),
    ("pretrain",): ("RECIPE is missing (dcp pretrain)", "dcp pretrain RECIPE"),
    ("probe",): ("RUN... is missing (dcp probe)", "dcp probe RUN..."),
    (*PRETRAIN, "--epochs", "3"): (
        "there is no option --epochs (dcp pretrain)",
        "it is a key of the recipe: dcp pretrain RECIPE train.epochs=VALUE",
    ),
    (*PRETRAIN, "--batch-size", "3"): ("there is no option --batch-size (dcp pretrain)", "RECIPE train.batch=VALUE"),
    (*PRETRAIN, "--lr=0.1"): ("there is no option --lr (dcp pretrain)", "RECIPE optimizer.lr=VALUE"),
    (*PRETRAIN, "--eps=0.1"): ("there is no option --eps (dcp pretrain)", "RECIPE predictor.eps=VALUE"),
    (*PRETRAIN, "--gpus", "2"): ("there is no option --gpus (dcp pretrain)", "here that is --processes N"),
    (*PRETRAIN, "--resum"): ("there is no option --resum (dcp pretrain)", "did you mean --resume?"),
    ("probe", "x", "--epochs", "3"): ("there is no option --epochs (dcp probe)", "there are --evaluation, -e, --data"),
    ("recipes", "check", "x", "--lr", "1"): ("there is no option --lr (dcp recipes check)", "--set optimizer.lr=VALUE"),
    (*PRETRAIN, "--seed", "x"): ("invalid value for '--seed'", "`dcp pretrain --help` says what it takes"),
    (*PRETRAIN, "--seed", "-1"): ("greater than or equal to 0 (dcp pretrain)", "`dcp pretrain --help`"),
    (*PRETRAIN, "--runs"): ("option '--runs' requires an argument", "--help` says what it takes"),
    (*PRETRAIN, "--quiet=3"): ("option '--quiet' does not take a value", "--help` says what it takes"),
    ("recipes", "show", "a", "b"): ("unexpected extra argument", "`dcp recipes show --help` says what it takes"),
}


@pytest.mark.parametrize("words", ANSWERS, ids=" ".join)
def test_a_wrong_command_line_is_answered_in_our_words(words: tuple[str, ...], dcp: Callable) -> None:
    said = dcp(*words)
    assert said.code == 2
    assert said.out == ""
    answer = ANSWERS[words]
    if answer is None:
        assert "Usage: dcp" in said.err
    else:
        first, hint = answer
        assert said.err.startswith("error[bad-option]: ")
        assert first in said.err.splitlines()[0]
        assert hint in said.err
        assert "Usage" not in said.err


EMPTY = {
    ("export", "x", "--to", "timm", "--out", ""): "the value of --out is empty (dcp export)",
    ("export", "x", "--to", "timm", "--out="): "the value of --out is empty (dcp export)",
    ("export", "", "--to", "timm", "--out", "x"): "the value of RUN is empty (dcp export)",
    ("embed", "x", "shapes", "--out", ""): "the value of --out is empty (dcp embed)",
    ("embed", "x", "", "--out", "f.npy"): "the value of SOURCE is empty (dcp embed)",
    ("probe", "x", "--runs", ""): "the value of --runs is empty (dcp probe)",
    ("probe", "x", "--figures", ""): "the value of --figures is empty (dcp probe)",
    ("compare", "x", ""): "the value of RUN... is empty (dcp compare)",
    ("theory", "x", "--out", ""): "the value of --out is empty (dcp theory)",
    ("recipes", "show", ""): "the value of RECIPE is empty (dcp recipes show)",
    (*PRETRAIN, "--set", "train.epochs=1", "--set", ""): "the value of --set is empty (dcp pretrain)",
    (*PRETRAIN, "--runs", ""): "the value of --runs is empty (dcp pretrain)",
}


@pytest.mark.parametrize("words", EMPTY, ids=" ".join)
def test_an_empty_value_is_refused_and_does_not_mean_the_current_folder(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dcp: Callable
) -> None:
    monkeypatch.chdir(tmp_path)
    said = dcp(*words)
    assert said.code == 2
    assert said.err.startswith(f"error[bad-option]: {EMPTY[words]}\n")
    assert list(tmp_path.iterdir()) == []


def test_help_and_version_are_no_errors(dcp: Callable) -> None:
    for words in (("--help",), ("--version",), ("pretrain", "--help"), ("recipes",), ("recipes", "--help")):
        said = dcp(*words)
        assert (said.code, said.err) == (0, "")
        assert said.out


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_while_probing_says_how_to_measure_the_rest(
    trained: Path, tmp_path: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / trained.name))
    with monkeypatch.context() as patch:
        patch.setattr(linear, "evaluate", interrupted)
        said = dcp("probe", run, "-e", "knn", "-e", "linear", "-e", "spectrum", "--set", "probe.knn.k=5")
    assert said.code == 130
    rest = f"dcp probe {run} -e linear -e spectrum --set probe.knn.k=5"
    assert said.err == f"stopped; what was measured is kept. The rest: {rest}\n"
    assert dcp(*rest.split()[1:]).code == 0


def test_ctrl_c_while_a_run_is_measured_says_how_to_go_on(
    tmp_path: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("pretrain", "tiny/directcopy", "train.epochs=1", "probe.after=['linear']", "--runs", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(linear, "evaluate", interrupted)
        said = dcp(*words)
        assert (said.code, said.err) == (
            130,
            "stopped; what has been trained and measured is kept: go on with --resume\n",
        )
    assert dcp(*words, "--resume").code == 0
    assert (tmp_path / "directcopy-s0/probes/linear.json").exists()
