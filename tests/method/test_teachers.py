"""Targets that never follow: a random teacher near the student, and the encoder of another run."""

import math
import shlex
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as fn
from torch.testing import assert_close

import dcp as package
from dcp.data.loader import Batch
from dcp.errors import RequestError
from dcp.method import flops
from dcp.method.moments import own
from dcp.method.targets import distill, frozen
from dcp.method.weights import CHECKSUM, checksum, read
from dcp.recipe import build
from dcp.recipe.recipe import Recipe
from dcp.training.loop import Loop


def gaussian(seed: int, width: int = 200) -> nn.Module:
    """A branch whose weights are normal, and whose norm starts at one and zero."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(width, width, bias=False), nn.BatchNorm1d(width))
    nn.init.normal_(net[0].weight)
    return net


def weights(net: nn.Module) -> Tensor:
    return net[0].weight.detach().flatten().double()


@pytest.mark.parametrize("alpha", [0.0, 0.2, 0.6, 1.0])
def test_teacher_and_student_are_as_alike_as_the_paper_makes_them(alpha: float) -> None:
    """θ_S = ((1-α) θ_T + α θ~) / √(α² + (1-α)²): both of variance 1, and of correlation (1-α) / √(α² + (1-α)²)."""
    student, teacher = gaussian(0), frozen.near(gaussian(0), gaussian(1), alpha)
    both = torch.stack([weights(student), weights(teacher)])
    size = (alpha**2 + (1 - alpha) ** 2) ** 0.5
    wanted = torch.tensor([[1, (1 - alpha) / size], [(1 - alpha) / size, 1]], dtype=torch.float64)
    assert_close(torch.cov(both), wanted, rtol=0, atol=0.03)  # 40,000 draws: five standard errors


def test_weights_that_start_at_a_constant_keep_it_and_a_student_at_no_distance_is_the_teacher() -> None:
    assert torch.equal(frozen.near(gaussian(0), gaussian(1), 0.5)[1].weight, torch.ones(200))
    assert_close(weights(frozen.near(gaussian(0), gaussian(1), 1e-10)), weights(gaussian(0)), rtol=0, atol=1e-9)


def test_the_student_is_left_alone_and_the_teacher_never_moves() -> None:
    student = gaussian(0)
    target = frozen.build(frozen.Config(alpha=0.5), student, lambda: gaussian(1), own)
    before = {key: value.clone() for key, value in target.state_dict().items()}
    target.train()(torch.randn(5, 200), torch.empty(5, 200))
    target.update(gaussian(3), 0.5)
    assert_close(dict(target.state_dict()), before, rtol=0, atol=0)
    assert torch.equal(weights(student), weights(gaussian(0)))
    assert student[0].weight.requires_grad


def test_its_batch_norms_are_in_evaluation_mode_unless_the_recipe_says_batch() -> None:
    x = torch.randn(5, 200, generator=torch.Generator().manual_seed(0)) + 3
    start, batch = (
        frozen.build(frozen.Config(norm=norm), gaussian(0), lambda: gaussian(1), own).train()
        for norm in ("start", "batch")
    )
    assert_close(start(x, x), x @ gaussian(0)[0].weight.detach().T / (1 + 1e-5) ** 0.5, rtol=1e-4, atol=1e-4)
    assert_close(batch(x, x).mean(0), torch.zeros(200), rtol=0, atol=1e-5)


@pytest.fixture
def student(trained: Path) -> Callable[..., Recipe]:
    """The tiny recipe of a student of the trained run."""
    return lambda *sets: Recipe.read("tiny/distill", (f"target.teacher='{trained}'", *sets))


def test_the_teacher_says_what_the_encoder_of_its_run_says(student: Callable[..., Recipe], trained: Path) -> None:
    method, x = build.method(student()), torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    said = package.load_encoder(trained)(x)
    assert_close(method.target.train()(x, torch.empty(0)), fn.layer_norm(said, (64,)))
    raw = build.method(student("target.standardise=false", f"target.teacher='{trained / distill.FILE}'"))
    assert_close(raw.target(x, torch.empty(0)), said)


def test_the_arithmetic_of_the_teacher_is_counted_as_its_own(student: Callable[..., Recipe]) -> None:
    recipe = student()
    method = build.method(recipe)
    whole, teacher = flops.per_image(method, (32, 32)), flops._forward(method.target.teacher, 32)
    assert whole == 2 * (3 * flops._forward(method.online, 32) + teacher)
    assert flops._forward(method.online, 32) == teacher + 2 * 64 * 64  # its projector is one layer


def test_a_student_of_another_width_is_refused_with_the_right_one(student: Callable[..., Recipe]) -> None:
    with pytest.raises(RequestError, match=r"64 features and network\.projector\.out is 16") as said:
        build.method(student("network.projector.out=16"))
    assert (said.value.slug, said.value.hint) == ("bad-combination", "network.projector.out = 64")


def test_a_place_without_a_teacher_is_told(tmp_path: Path, dcp: Callable) -> None:
    for place in (tmp_path, "~nobody-of-this-name/x", "a" * 5000, tmp_path / ("b" * 300)):
        said = dcp("pretrain", "tiny/distill", f"target.teacher='{place}'", "--runs", tmp_path / "runs")
        assert said.code == 2
        assert "error[no-teacher]: " in said.err
        assert len(said.err) < 600
        assert not (tmp_path / "runs").exists()


def test_weights_that_are_not_dcps_or_not_whole_are_told(tmp_path: Path, trained: Path) -> None:
    foreign, broken, other = (
        tmp_path / name for name in ("foreign.safetensors", "broken.safetensors", "other.safetensors")
    )
    save_file({"w": torch.zeros(2)}, foreign)
    broken.write_bytes((trained / distill.FILE).read_bytes()[:-100])
    header = {key: text for key, text in read(trained / distill.FILE)[1].items() if key != CHECKSUM}
    save_file({"w": torch.zeros(2)}, other, metadata=header)
    for path, words in ((foreign, "does not say which network"), (broken, "cannot read"), (other, "another network")):
        with pytest.raises(RequestError, match=words):
            distill.load(str(path))


def refusal(place: Path) -> RequestError:
    with pytest.raises(RequestError) as caught:
        distill.load(str(place))
    return caught.value


@pytest.mark.parametrize("file", ["run.json", "recipe.toml", "checkpoint/state.safetensors"])
def test_another_file_of_the_teachers_run_is_no_encoder_and_nothing_of_it_is_to_be_deleted(
    file: str, trained: Path
) -> None:
    error = refusal(trained / file)
    assert (error.slug, error.where) == ("no-teacher", f"target.teacher; {trained / file}")
    assert error.message.startswith("this is not a teacher's encoder: ")
    assert error.hint.startswith("Give the folder of the teacher's run, or the encoder.safetensors in it.")
    assert "delete" not in str(error)


def test_the_damaged_encoder_of_a_teacher_is_made_again_by_its_own_run(
    trained: Path, tmp_path: Path, dcp: Callable
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / trained.name))
    whole = (run / distill.FILE).read_bytes()
    (run / distill.FILE).write_bytes(whole[:-100])
    error = refusal(run)
    assert (error.slug, error.where) == ("bad-checkpoint", str(run / distill.FILE))
    assert "The teacher's run must be mended" in error.hint
    (run / distill.FILE).unlink()  # and then what the message says
    assert dcp(*shlex.split(error.hint.rpartition("dcp ")[2])).code == 0
    assert (run / distill.FILE).read_bytes() == whole
    (tmp_path / distill.FILE).write_bytes(whole[:-100])
    assert refusal(tmp_path).hint == "Copy it again from the teacher's run, or give that run's folder."


@pytest.mark.parametrize("name", ["encoder.safetensors", "other.safetensors"])
def test_a_git_lfs_pointer_in_the_place_of_a_teacher_is_called_one(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    error = refusal(tmp_path / name)
    assert (error.slug, error.where) == ("git-lfs", str(tmp_path / name))
    assert "git lfs pull" in error.hint


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_teacher_whose_weights_are_not_finite_is_refused_by_name_before_training(
    value: float, trained: Path, tmp_path: Path, dcp: Callable
) -> None:
    weights, header = read(trained / distill.FILE)
    weights["bn1.weight"][0] = value
    save_file(weights, tmp_path / distill.FILE, metadata=header | {CHECKSUM: checksum(weights, header)})
    said = dcp("pretrain", "tiny/distill", f"target.teacher='{tmp_path}'", "--runs", tmp_path / "runs")
    assert said.code == 2
    assert "error[bad-checkpoint]: the teacher's weights are not finite: bn1.weight" in said.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["distill", "frozen", "semppl", "supsiam"])
def test_a_run_that_was_stopped_resumes_to_the_same_encoder(
    name: str, tmp_path: Path, trained: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = (f"target.teacher='{trained}'",) if name == "distill" else ()
    words = ("pretrain", f"tiny/{name}", "probe.after=[]", "train.epochs=1", *teacher, "--runs")
    assert dcp(*words, tmp_path / "whole").code == 0
    step = Loop.step

    def stopped(loop: Loop, batch: Batch) -> None:
        step(loop, batch)
        if batch.step == 1:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "step", stopped)
        assert dcp(*words, tmp_path / "half").code == 130
    assert dcp(*words, tmp_path / "half", "--resume").code == 0
    whole, half = (tmp_path / place / f"{name}-s0/encoder.safetensors" for place in ("whole", "half"))
    assert half.read_bytes() == whole.read_bytes()
