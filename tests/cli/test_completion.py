"""The Tab key: what each shell is told, and how soon."""

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from typer.main import get_command

import dcp
from dcp.cli.app import app
from dcp.cli.completion import KEYS
from docs import pages

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(dcp.__file__).parents[1]), "COLUMNS": "80"}


def asked(shell: str, line: str, folder: Path) -> str:
    """What the shell's own script is answered at the end of a line."""
    words = line.split(" ")
    told = {
        "bash": {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    check = "assert not {'torch', 'numpy'} & {*sys.modules}"
    code = f"import sys; from dcp.cli.app import main\ntry:\n main()\nfinally:\n {check}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**ENVIRONMENT, **told, "_DCP_COMPLETE": f"complete_{shell}"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


def completed(line: str, folder: Path) -> list[str]:
    return asked("bash", line, folder).split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two seeds of a run, a study, and a recipe in a folder."""
    for name in ("a-s0", "a-s1", "b-s0"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").touch()
    (tmp_path / "runs/mine").mkdir()
    (tmp_path / "runs/mine/study.json").touch()
    (tmp_path / "mine.toml").touch()
    (tmp_path / "some.txt").touch()
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets/other.toml").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("dcp pro", ["probe"]),
        ("dcp pretrain quicks", ["quickstart"]),
        ("dcp pretrain studies/cat", ["studies/catalogue"]),
        ("dcp pretrain mi", ["mine.toml"]),
        ("dcp pretrain set", ["sets/"]),
        ("dcp pretrain sets/", ["sets/other.toml"]),
        ("dcp pretrain quickstart train.ep", ["train.epochs="]),
        ("dcp pretrain quickstart train.epochs=5 optimizer.mom", ["optimizer.momentum="]),
        ("dcp pretrain quickstart --set train.ep", ["train.epochs="]),
        ("dcp pretrain quickstart predictor.name=directc", ["predictor.name=directcopy"]),
        ("dcp pretrain quickstart train.deterministic=", ["train.deterministic=false", "train.deterministic=true"]),
        ("dcp pretrain quickstart no.such=", []),
        ("dcp recipes show cifar10_directc", ["cifar10_directcopy"]),
        ("dcp probe a", ["a", "a-s0", "a-s1"]),
        ("dcp compare a b", ["b", "b-s0"]),
        ("dcp compare m", ["mine"]),
        ("dcp probe --runs elsewhere a", []),
        ("dcp probe a -e kn", ["knn"]),
        ("dcp pretrain quickstart --sub", ["--submit"]),
        ("dcp pretrain quickstart --submit s", ["slurm"]),
        ("dcp embed a", ["a", "a-s0", "a-s1"]),
        ("dcp embed m", []),
        ("dcp embed a cifar1", ["cifar10", "cifar100"]),
        ("dcp embed a s", ["shapes", "shards", "stl10", "some.txt", "sets/"]),
        ("dcp embed a shapes --split te", ["test"]),
        ("dcp embed a shapes --set ro", []),
        ("dcp embed a shapes --set data.ro", ["data.root="]),
        ("dcp embed a shapes --set data.s", ["data.seed=", "data.size="]),
        ("dcp embed a shapes --set data.broken=", ["data.broken=stop", "data.broken=skip"]),
        ("dcp embed a shapes --device cu", ["cuda"]),
        ("dcp export a", ["a", "a-s0", "a-s1"]),
        ("dcp export a --to t", ["timm", "torchvision"]),
        ("dcp export a --to timm --out s", ["sets/"]),
        ("dcp compare a b --figures p", ["pdf", "png"]),
        ("dcp compare a b --runs r", ["runs/"]),
        ("dcp probe a --figures s", ["svg"]),
    ],
)
def test_tab_completes_what_there_is(line: str, words: list[str], folder: Path) -> None:
    assert completed(line, folder) == words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_answered_in_its_own_form(shell: str, folder: Path) -> None:
    said = asked(shell, "dcp pretrain quickstart train.ep", folder)
    assert "train.epochs=" in said
    assert ("_arguments" in said) == (shell == "zsh")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_shown_and_installed(shell: str, tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    command = [sys.executable, "-m", "dcp"]
    shown = subprocess.check_output([*command, "--show-completion", shell], env=environment, text=True)
    assert f"_DCP_COMPLETE=complete_{shell}" in shown
    subprocess.run([*command, "--install-completion", shell], env=environment, check=True, capture_output=True)
    assert any("_DCP_COMPLETE" in path.read_text() for path in tmp_path.rglob("*") if path.is_file())


def test_bash_puts_no_space_after_a_key(tmp_path: Path) -> None:
    shown = subprocess.check_output(
        [sys.executable, "-m", "dcp", "--show-completion", "bash"],
        env={**ENVIRONMENT, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        text=True,
    )
    (tmp_path / "dcp").write_text(f'#!/bin/sh\nexec {sys.executable} -m dcp "$@"\n')
    (tmp_path / "dcp").chmod(0o755)
    asks = 'compopt() { echo "$*"; }; COMP_WORDS=(dcp pretrain quickstart train.ep); COMP_CWORD=3; _dcp_completion dcp'
    script = f"{shown}\n{asks}; echo ${{COMPREPLY[@]}}"
    environment = {**ENVIRONMENT, "PATH": f"{tmp_path}:{ENVIRONMENT['PATH']}"}
    said = subprocess.check_output(["bash", "-c", script], env=environment, text=True)
    assert said.split() == ["-o", "nospace", "train.epochs="]


def test_splits_and_formats_of_figures_are_those_that_there_are() -> None:
    from dcp.data.datasets.base import Split
    from dcp.report.charts.canvas import FORMATS

    for command, option, words in (("embed", "--split", get_args(Split)), ("compare", "--figures", FORMATS)):
        (found,) = [each for each in get_command(app).commands[command].params if option in each.opts]
        assert sorted(item.value for item in found.shell_complete(None, "")) == sorted(words)


def test_the_keys_are_those_of_the_recipes() -> None:
    assert KEYS.read_text(encoding="utf-8") == pages.keys(), "run: python -m docs.pages"


@pytest.mark.slow
def test_it_takes_less_than_0_3_s(folder: Path) -> None:
    took = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        completed("dcp pretrain quickstart train.ep", folder)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(took) < 0.3, took  # of a core: other programs do not count
