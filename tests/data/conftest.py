import os
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcp.data.datasets import base
from dcp.errors import RequestError


@pytest.fixture
def paint() -> Callable[..., Path]:
    """Write one small image of random pixels; the format follows from the name."""

    def write(path: Path, mode: str = "RGB", size: tuple[int, int] = (8, 6), seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(noise).convert(mode).save(path)
        return path

    return write


@pytest.fixture
def put() -> Callable[[Path, str], None]:
    """Make at a path what is neither a file nor a folder."""

    def make(path: Path, kind: str) -> None:
        if kind == "a FIFO":
            os.mkfifo(path)
        elif kind == "a socket":
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(str(path))
        else:
            path.symlink_to("/dev/zero" if kind == "a device" else path.parent / "nowhere")

    return make


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No network: requests fail as without a name server. The list fills with the addresses asked for."""
    asked: list[str] = []

    def refuse(request: urllib.request.Request, *_: object, **__: object) -> None:
        asked.append(request.full_url)
        raise urllib.error.URLError(OSError(-2, "Name or service not known"))

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return asked


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty $DCP_DATA."""
    monkeypatch.setenv("DCP_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def refusal() -> Callable[..., RequestError]:
    """The error that reading a split ends with."""

    def caught(config: base.DataConfig, split: base.Split = "pretrain") -> RequestError:
        with pytest.raises(RequestError) as error:
            base.load(config, split)
        return error.value

    return caught


def _real(folder: str) -> Path:
    root = os.environ.get("DCP_DATA")
    if not root or not (Path(root) / folder).is_dir():
        pytest.skip(f"no {folder} in $DCP_DATA ({root or 'not set'})")
    return Path(root)


@pytest.fixture
def real_cifar10() -> Path:
    return _real("cifar-10-batches-py")


@pytest.fixture
def real_imagenette96() -> Path:
    return _real("imagenette96")
