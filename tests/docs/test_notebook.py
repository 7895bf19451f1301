"""The notebook of the documentation runs, and is kept without outputs."""

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs/notebook.ipynb"


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 8
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


def test_the_notebook_trains_plots_compares_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="pip install -e '.[dev]'")
    nbclient = pytest.importorskip("nbclient", reason="pip install -e '.[dev]'")
    pytest.importorskip("ipykernel", reason="pip install -e '.[dev]'")
    for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    texts = [str(output.get("text", output.get("data", {}).get("text/plain", ""))) for output in outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert any(text.startswith("<dcp run directcopy-s0: done, knn top1 ") for text in texts)
    assert any(text.startswith("In linear top1, ") for text in texts)
    assert any(text.startswith("torch.Size([2, ") for text in texts)
    assert any(text.strip().endswith("runs/directcopy-s0") for text in texts)
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"directcopy-s0", "linear-s0", "onward-s0"}
