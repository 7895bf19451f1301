import os
from pathlib import Path

import pytest
from picture_files import drawn


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Forty images in two folders."""
    return drawn(tmp_path / "pictures", 40)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    os.environ.pop("DCP_DATA", None)
    return tmp_path
