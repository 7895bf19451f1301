"""dcp.load_encoder takes images as people have them; and what `import dcp` shows."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import dcp
from dcp.errors import RequestError
from dcp.recipe.recipe import Recipe
from dcp.runs import encoder as encoders


@pytest.fixture(scope="module")
def encoder(trained: Path) -> encoders.Encoder:
    return dcp.load_encoder(trained)


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8))


def kinds(picture: Image.Image, folder: Path) -> dict[str, object]:
    """One picture as everything that people have."""
    path, array = folder / "a.png", np.array(picture)
    picture.save(path)
    return {
        "PIL": picture,
        "path": path,
        "path as text": str(path),
        "numpy": array,
        "torch": torch.from_numpy(array).permute(2, 0, 1),
    }


def test_every_kind_of_image_gives_the_same_alone_and_in_a_list(
    encoder: encoders.Encoder, picture: Image.Image, tmp_path: Path
) -> None:
    every = kinds(picture, tmp_path)
    ready = encoder.preprocess(every["torch"])
    wanted = encoder(ready[None])[0]
    assert ready.shape == (3, encoder.size, encoder.size)
    for name, image in every.items():
        assert torch.equal(encoder.preprocess(image), ready), name
        assert torch.equal(encoder(image), wanted), name
        assert encoder.preprocess([image, image]).shape == (2, *ready.shape), name
        torch.testing.assert_close(encoder([image, image])[1], wanted, msg=name)
    mixed = encoder.preprocess(list(every.values()))
    assert torch.equal(mixed, ready.expand_as(mixed))


def test_batches_and_sizes_that_differ_and_none_at_all(encoder: encoders.Encoder, picture: Image.Image) -> None:
    array = np.array(picture)
    batch = np.stack([array, array[::-1]])
    ready = encoder.preprocess(batch)
    assert torch.equal(ready, encoder.preprocess(torch.from_numpy(batch).permute(0, 3, 1, 2)))
    assert encoder(batch).shape == encoder(ready).shape == (2, 64)
    assert encoder([picture, picture.resize((33, 90))]).shape == (2, 64)
    assert encoder.preprocess([]).shape == (0, 3, encoder.size, encoder.size)
    assert encoder(encoder.preprocess(picture)).shape == (64,)


def test_grey_and_transparent_images_become_rgb(encoder: encoders.Encoder, picture: Image.Image) -> None:
    grey = picture.convert("L")
    three = encoder.preprocess(grey.convert("RGB"))
    for image in (grey, np.array(grey), np.array(grey)[..., None], torch.from_numpy(np.array(grey))[None]):
        assert torch.equal(encoder.preprocess(image), three)
    clear = Image.new("RGBA", (40, 40), (200, 0, 0, 0))
    assert torch.equal(encoder.preprocess(clear), encoder.preprocess(Image.new("RGB", (40, 40), "white")))


def test_a_long_list_gives_what_short_ones_give(
    encoder: encoders.Encoder, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [picture.rotate(10 * i) for i in range(5)]
    wanted = torch.stack([encoder(each) for each in pictures])
    monkeypatch.setattr(encoders, "AT_ONCE", 2)
    torch.testing.assert_close(encoder(pictures), wanted)


def test_an_image_that_pillow_has_opened_and_cannot_read_is_refused_in_words(
    encoder: encoders.Encoder, tmp_path: Path
) -> None:
    Image.effect_noise((64, 64), 50).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:2000])
    with Image.open(tmp_path / "cut.png") as opened, pytest.raises(RequestError, match=r"bad-image.*truncated"):
        encoder(opened)


def test_a_tensor_of_any_leading_dimensions_gives_features_of_the_same(encoder: encoders.Encoder) -> None:
    images = torch.randint(0, 256, (2, 4, 3, 40, 50), dtype=torch.uint8)
    features = encoder(images)
    assert features.shape[:2] == (2, 4)
    torch.testing.assert_close(features.flatten(0, 1), encoder(images.flatten(0, 1)))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((3, 40, 50), np.uint8), "ndarray of uint8, of shape [3, 40, 50]"),
        (np.zeros((40, 50, 3)), "ndarray of float64"),
        (torch.zeros(40, 50, 3, dtype=torch.uint8), "Tensor of torch.uint8, of shape [40, 50, 3]"),
        (7, "int"),
        ([Image.new("RGB", (4, 4)), None], "NoneType (image 1 of 2)"),
        ([np.zeros((2, 4, 4, 3), np.uint8)], "[2, 4, 4, 3] (image 0 of 1)"),
        ("/no/such/file.jpg", "there is no such file (/no/such/file.jpg)"),
        ("cut.png", "cannot read an image: image file is truncated (cut.png)"),
        ("floats.tif", "no agreed black and white (floats.tif)\n  Give uint8 or uint16"),
        (Image.new("F", (4, 4)), "no agreed black and white\n  Give uint8 or uint16"),
    ],
)
def test_what_is_no_image_is_refused_in_words(
    encoder: encoders.Encoder, given: object, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.effect_noise((64, 64), 50).save("whole.png")
    Path("cut.png").write_bytes(Path("whole.png").read_bytes()[:2000])
    Image.new("F", (4, 4)).save("floats.tif")
    with pytest.raises(RequestError) as caught:
        encoder.preprocess(given)
    assert caught.value.slug == "bad-image"
    assert words in str(caught.value)


def test_dir_shows_the_public_functions_and_importing_is_light() -> None:
    names = {"compare", "embed", "errors", "export", "load_encoder", "load_run", "pretrain", "probe", "study", "theory"}
    code = (
        f"import sys, dcp; print(sorted(n for n in dir(dcp) if n[0] != '_') == {sorted(names)}, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"
    shown = subprocess.run([sys.executable, "-c", "import dcp; help(dcp)"], capture_output=True, text=True, check=True)
    assert all(f"    {name}(" in shown.stdout for name in names - {"errors"})


def test_a_recipe_without_a_name_is_named_after_its_images_and_its_predictor() -> None:
    table = {"data": {"source": "shapes"}, "predictor": {"name": "directcopy"}}
    assert Recipe.of(table).folder == "shapes_directcopy-s0"
    assert Recipe.of({**table, "run": {"seed": 3}}).folder == "shapes_directcopy-s3"
    assert Recipe.of({**table, "run": {"name": "mine"}}).folder == "mine-s0"
    assert Recipe.of(table, ("predictor.name=linear", "train.epochs=2")).folder == "shapes_linear-s0"
    assert table == {"data": {"source": "shapes"}, "predictor": {"name": "directcopy"}}
