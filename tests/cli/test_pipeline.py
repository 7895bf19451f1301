"""The main job, from a recipe to a comparison, on a network that trains in seconds."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file

import dcp as package
from dcp.recipe.recipe import Recipe
from dcp.runs.run import Run
from dcp.training.request import Request


def test_a_run_folder_holds_what_the_contract_lists(trained: Path) -> None:
    files = sorted(path.relative_to(trained).as_posix() for path in trained.rglob("*") if path.is_file())
    assert files == [
        "checkpoint/state.safetensors",
        "encoder.safetensors",
        "metrics.jsonl",
        "probes/knn.json",
        "probes/knn.safetensors",
        "probes/linear.json",
        "probes/linear.safetensors",
        "probes/spectrum.json",
        "recipe.toml",
        "run.json",
    ]
    record = json.loads((trained / "run.json").read_text())
    promised = {"schema", "status", "why", "versions", "device", "processes", "data", "seed", "started", "ended"}
    assert promised | {"wall_s", "images_per_s"} <= set(record)
    assert record["status"] == "done"


def test_every_line_of_the_metrics_has_its_kind_step_epoch_loss_and_rate(trained: Path) -> None:
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert {line["kind"] for line in lines} == {"step", "epoch", "spectrum"}
    signs = {"step", "epoch", "spread", "effective_rank", "invariance", "norm", "dead"}
    assert all(signs <= set(line) for line in lines)
    assert all({"loss", "lr"} <= set(line) for line in lines if line["kind"] != "spectrum")
    assert all({"online_knn", "online_linear"} <= set(line) for line in lines if line["kind"] == "epoch")
    assert all({"F", "W", "lag", "update", "state"} <= set(line) for line in lines if line["kind"] == "spectrum")
    assert [line["epoch"] for line in lines if line["kind"] == "epoch"] == [0, 1]


def test_the_written_recipe_repeats_the_run_byte_for_byte(trained: Path, tmp_path: Path, dcp: Callable) -> None:
    assert dcp("pretrain", trained / "recipe.toml", "--runs", tmp_path).code == 0
    again = tmp_path / trained.name
    assert (again / "encoder.safetensors").read_bytes() == (trained / "encoder.safetensors").read_bytes()
    assert Run.open(again).recipe() == Run.open(trained).recipe()


def test_without_readouts_the_weights_are_the_same_to_the_last_bit(
    trained: Path, tmp_path: Path, dcp: Callable
) -> None:
    assert (
        dcp("pretrain", trained / "recipe.toml", "train.readout=false", "probe.after=[]", "--runs", tmp_path).code == 0
    )
    again = tmp_path / trained.name
    mine, theirs = (load_file(run / "encoder.safetensors") for run in (again, trained))
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert not any("online_knn" in line for line in Run.open(again).metrics("epoch"))


def test_a_run_that_lacks_its_encoder_alone_is_finished_with_the_diagnosis_that_it_had(
    trained: Path, tmp_path: Path, dcp: Callable
) -> None:
    shutil.copytree(trained, tmp_path / trained.name)
    (tmp_path / trained.name / "encoder.safetensors").unlink()
    before = Run.open(trained).record.state
    assert before.name != "unknown"
    assert dcp("pretrain", trained / "recipe.toml", "--resume", "--runs", tmp_path).code == 0
    assert Run.open(tmp_path / trained.name).record.state == before


def test_another_seed_gives_another_encoder(trained: Path, tmp_path: Path, dcp: Callable) -> None:
    said = dcp("pretrain", "tiny/directcopy", "--seeds", "1,2", "--runs", tmp_path, "probe.after=[]", "--json")
    assert said.code == 0
    assert json.loads(said.out.splitlines()[-1])["runs"] == [
        str(tmp_path / "directcopy-s1"),
        str(tmp_path / "directcopy-s2"),
    ]
    one, two = (tmp_path / f"directcopy-s{seed}" / "encoder.safetensors" for seed in (1, 2))
    assert one.read_bytes() != two.read_bytes()


def test_scores_stand_beside_those_of_the_untrained_encoder(trained: Path) -> None:
    for name in ("knn", "linear"):
        probe = json.loads((trained / f"probes/{name}.json").read_text())
        low, high = probe["interval"]["top1"]
        assert low <= probe["score"]["top1"] <= high
        assert 0 <= probe["random_encoder"]["score"]["top1"] <= 1
        tensors = load_file(trained / f"probes/{name}.safetensors")
        hits = (tensors["prediction"] == tensors["label"]).float().mean()
        assert hits.item() == pytest.approx(probe["score"]["top1"], abs=1e-6)
        assert len(tensors["prediction"]) == probe["n"] == 128


def test_probe_measures_a_finished_run_again_with_other_settings(trained: Path, tmp_path: Path, dcp: Callable) -> None:
    import shutil

    run = Path(shutil.copytree(trained, tmp_path / trained.name))
    said = dcp("probe", run, "-e", "knn", "--set", "probe.knn.k=5", "--json")
    assert said.code == 0
    assert json.loads((run / "probes/knn.json").read_text())["settings"]["k"] == 5
    assert json.loads(said.out.splitlines()[-1])[str(run)]["knn"]["settings"]["k"] == 5


def test_compare_writes_table_markdown_and_json(trained: Path, other: Path, tmp_path: Path, dcp: Callable) -> None:
    said = dcp("compare", trained, other, "--out", tmp_path, "--details")
    assert said.code == 0
    assert "predictor.name" in said.out
    assert "top1" in (tmp_path / "comparison.md").read_text()
    assert json.loads((tmp_path / "comparison.json").read_text())


def test_runs_are_found_by_name(trained: Path, other: Path, dcp: Callable) -> None:
    assert dcp("compare", "directcopy", "linear", "--runs", trained.parent).code == 0


def test_the_encoder_loads_into_torchvision_and_timm_and_gives_the_same_features(tmp_path: Path, dcp: Callable) -> None:
    sets = ("network.width=64", "network.stem=imagenet", "train.epochs=1", "probe.after=[]", "data.limit=64")
    assert dcp("pretrain", "tiny/directcopy", *sets, "--runs", tmp_path).code == 0
    file = tmp_path / "directcopy-s0" / "encoder.safetensors"
    ours = package.load_encoder(tmp_path / "directcopy-s0")
    x = ours.preprocess(torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8))

    theirs = torchvision.models.resnet18()
    theirs.fc = torch.nn.Identity()
    theirs.load_state_dict(load_file(file), strict=True)
    torch.testing.assert_close(theirs.eval()(x), ours(x), atol=1e-5, rtol=1e-4)

    timms = timm.create_model("resnet18", num_classes=0, checkpoint_path=str(file))
    torch.testing.assert_close(timms.eval()(x), ours(x), atol=1e-5, rtol=1e-4)


def test_a_dry_run_says_what_it_would_cost_and_writes_nothing(tmp_path: Path, dcp: Callable) -> None:
    said = dcp("pretrain", "tiny/directcopy", "--dry-run", "--runs", tmp_path / "runs", "--json")
    assert said.code == 0
    assert not (tmp_path / "runs").exists()
    cost = json.loads(said.out.splitlines()[-1])
    assert cost["steps"] == 8
    assert cost["flops_per_step"] > 1e6
    assert cost["seconds_per_step"] > 0


def test_a_dry_run_works_where_the_run_exists_and_says_so(trained: Path, dcp: Callable) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in trained.rglob("*"))
    said = dcp("pretrain", "tiny/directcopy", "--dry-run", "--runs", trained.parent)
    assert said.code == 0, said.err
    assert said.out.startswith(f"{trained} exists: --resume goes on with it")
    assert sorted((path, path.stat().st_mtime_ns) for path in trained.rglob("*")) == before


def test_the_paths_of_what_was_written_come_last(trained: Path, tmp_path: Path, dcp: Callable) -> None:
    said = dcp("pretrain", "tiny/directcopy", "--seeds", "1,2", "--runs", tmp_path, "train.epochs=1", "probe.after=[]")
    files = "encoder.safetensors, metrics.jsonl, run.json, recipe.toml, checkpoint/"
    assert said.out.splitlines()[-2:] == [f"Written: {tmp_path}/directcopy-s{seed}: {files}" for seed in (1, 2)]
    run = Path(shutil.copytree(trained, tmp_path / trained.name))
    assert dcp("probe", run, "-e", "spectrum").out.endswith(f"\nWritten: {run}: probes/spectrum.json\n")


def test_flops_of_a_step_are_the_four_forwards_and_two_backwards_that_theory_counts(tmp_path: Path) -> None:
    from dcp.training.dry_run import estimate

    recipe = Recipe.read("tiny/directcopy", ("network.width=64", "network.stem=small", "train.batch=2", "data.limit=4"))
    flops = estimate(recipe, Request(tmp_path))["flops_per_step"]
    forward = 2 * 0.556e9  # ResNet-18, small stem, 32 px: 0.556 GMAC an image
    assert flops == pytest.approx(8 * 2 * forward, rel=0.03)


def test_a_dry_run_and_a_run_count_the_same_arithmetic(tmp_path: Path, trained: Path) -> None:
    from dcp.training.dry_run import estimate

    recipe = Recipe.read("tiny/directcopy")
    of_an_image = json.loads((trained / "run.json").read_text())["flops_per_image"]
    assert estimate(recipe, Request(tmp_path))["flops_per_step"] == recipe.train.batch * of_an_image


def test_probes_that_need_labels_are_skipped_in_words_where_there_are_none(tmp_path: Path, dcp: Callable) -> None:
    from PIL import Image

    for i in range(40):
        Image.effect_noise((20 + i % 3, 24), 60).save(tmp_path / f"{i}.png")
    sets = ("data.source=folder", f'data.root="{tmp_path}"', "data.image_size=16", "train.batch=16", "train.workers=0")
    said = dcp("pretrain", "tiny/directcopy", *sets, "--runs", tmp_path / "runs")
    assert said.code == 0, said.err
    assert "skipped: knn and linear need labels, and these data have none" in said.out
    assert "ROOT/train/CLASS and ROOT/val/CLASS" in " ".join(said.out.split())
    assert re.search("rankme", said.out)


def test_the_python_functions_do_what_the_commands_do(trained: Path, other: Path, tmp_path: Path) -> None:
    path = package.pretrain("tiny/directcopy", sets=("train.epochs=1", "probe.after=[]"), runs=tmp_path)
    assert path == tmp_path / "directcopy-s0"
    assert package.probe(path, ["knn"])["knn"]["n"] == 128
    assert package.compare([trained, other])
    encoder = package.load_encoder("directcopy", runs=tmp_path)
    assert encoder(encoder.preprocess(torch.zeros(2, 3, 50, 40, dtype=torch.uint8))).shape == (2, 64)


def test_the_spectrum_of_F_is_of_the_F_that_the_predictor_saw(tmp_path: Path, dcp: Callable) -> None:
    centred = ["moments.zero_mean=true", 'probe.after=["spectrum"]', "--runs", tmp_path]
    assert dcp("pretrain", "tiny/directcopy", *centred).code == 0
    (run,) = tmp_path.iterdir()
    tensors = load_file(run / "checkpoint/state.safetensors")
    F = tensors["moments.second"] - torch.outer(tensors["moments.first"], tensors["moments.first"])
    found = json.loads((run / "probes/spectrum.json").read_text())["extra"]["F_eigenvalues"]
    torch.testing.assert_close(torch.tensor(found), torch.linalg.eigvalsh(F).flip(0), rtol=1e-3, atol=1e-6)


def test_a_probe_says_which_images_it_was_made_on(trained: Path) -> None:
    data = Run.open(trained).probes()["knn"].data
    assert data["source"] == "shapes"
    assert len(data["train"]) == len(data["test"]) == 16
    assert data["train"] != data["test"]


def test_a_probe_takes_no_override_of_what_the_run_was_trained_with(trained: Path, dcp: Callable) -> None:
    said = dcp("probe", trained, "-e", "knn", "--set", "data.seed=77")
    assert said.code == 2
    assert "data.seed is settled" in said.err


def test_probe_images_that_are_missing_stop_a_run_before_it_trains(tmp_path: Path, dcp: Callable) -> None:
    said = dcp("pretrain", "tiny/directcopy", 'probe.data={source="folder",root="/nosuch"}', "--runs", tmp_path)
    assert said.code == 2
    assert "probe.data.root" in said.err
    assert not list(tmp_path.iterdir())


def test_a_seed_that_is_there_already_stops_the_others_before_they_train(tmp_path: Path, dcp: Callable) -> None:
    assert dcp("pretrain", "tiny/directcopy", "probe.after=[]", "--seed", "1", "--runs", tmp_path).code == 0
    said = dcp("pretrain", "tiny/directcopy", "probe.after=[]", "--seeds", "0-1", "--runs", tmp_path)
    assert said.code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["directcopy-s1"]


def test_loading_an_encoder_leaves_the_random_numbers_of_the_caller_alone(trained: Path) -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    package.load_encoder(trained)
    assert torch.equal(torch.rand(3), wanted)


def test_a_tracker_is_given_the_recipe_and_the_numbers(tmp_path: Path, dcp: Callable) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    said = dcp("pretrain", "tiny/directcopy", "run.tracker=tensorboard", "probe.after=[]", "--runs", tmp_path)
    assert said.code == 0, said.err
    events = next(path for path in tmp_path.rglob("events.out.tfevents.*") if path.parent.name == "dcp")
    seen = EventAccumulator(str(events)).Reload()
    losses = [line["loss"] for line in Run.open(tmp_path / "directcopy-s0").metrics("step")]
    assert [event.value for event in seen.Scalars("step/loss")] == pytest.approx(losses, rel=1e-6)


@pytest.mark.parametrize("width", [1, 4])
def test_a_very_narrow_network_trains(tmp_path: Path, width: int) -> None:
    command = [sys.executable, "-m", "dcp", "pretrain", "tiny/directcopy", f"network.width={width}", "probe.after=[]"]
    done = subprocess.run([*command, "--runs", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr)  # a process of its own: memory may be written over
