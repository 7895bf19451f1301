"""What the README shows: the quickstart learns, the same recipe without a predictor collapses, and both print that."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dcp.runs.run import Run

README = Path(__file__).parents[2] / "README.md"


def dcp(runs: Path, *words: str) -> str:
    """What a command prints into a pipe, computing on all cores."""
    environment = {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "COLUMNS")}
    command = [sys.executable, "-m", "dcp", *words, "--runs", runs.name]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=runs.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shape(text: str) -> str:
    """The words of a text; numbers, durations and what a machine has are the same in all."""
    text = re.sub(r"\b(\d+ min )?[\d.,]+ (s|min|h)\b", "TIME", text)
    text = re.sub(r"[\d.,]+ [MG]iB", "MEMORY", text)
    text = re.sub(r"[-+]?\d[\d,]*(\.\d+)?(e-\d+)?", "#", text)
    return re.sub(r"\s+", " ", text.replace("1 thread)", "# threads)").replace("# thread)", "# threads)"))


def parts(block: str) -> list[str]:
    """What stands between the dots of a block."""
    return [shape(part).strip() for part in re.split(r"^\.\.\.$", block, flags=re.MULTILINE) if part.strip()]


def check(block: str, printed: str) -> None:
    """Every part of a block stands in what was printed, in this order."""
    rest = shape(printed)
    for part in parts(block):
        assert part in rest, f"README has\n  {part}\nwhich is not in\n  {rest}"
        rest = rest.partition(part)[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_quickstart_learns_and_its_identity_twin_collapses_and_both_print_what_the_readme_shows(
    tmp_path: Path,
) -> None:
    runs = tmp_path / "runs"
    printed = dcp(runs, "pretrain", "quickstart")
    twin = dcp(runs, "pretrain", "quickstart", "predictor.name=identity", "run.name=identity")
    compared = dcp(runs, "compare", "quickstart", "identity")
    first, second = re.findall(r"^```text\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)[:2]
    check(first, printed)
    check(second, twin + compared)
    run, control = Run.open(runs / "quickstart-s0"), Run.open(runs / "identity-s0")
    linear, collapsed = run.probes()["linear"], control.probes()["linear"]
    assert run.record.state.name == "healthy"
    assert linear.score["top1"] > max(0.7, linear.random_encoder.score["top1"] + 0.3)
    assert control.record.state.name == "complete collapse"
    # over ten seeds up to 13 points (docs/dev/lab-notes.md); this seed, 0, had -1 in bf16 and 3 in fp32
    assert collapsed.score["top1"] < collapsed.random_encoder.score["top1"] + 0.08


def test_a_block_that_is_not_printed_is_seen() -> None:
    check("a 1.5 in 3 s\n...\nb 2", "x\na 7.25 in\n1 min 04 s\ny\nb 8\n")
    with pytest.raises(AssertionError, match="README has"):
        check("b 2\n...\na 1", "a 1\nb 2\n")
