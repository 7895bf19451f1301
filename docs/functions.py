"""The page of the functions of `dcp`, written from their docstrings: `python -m docs.pages`."""

import inspect
import re
from collections.abc import Iterator
from types import FunctionType

import dcp
from dcp.runs.loaded import Diagnosis, LoadedRun

TOP = """# In Python

Each command is also a function. It takes and returns plain values, and raises `dcp.errors.RequestError` (the request was wrong, nothing was written) or `dcp.errors.RunError` (it failed on its way), with `message`, `slug`, `where` and `hint`. Importing `dcp` is light: torch is imported when a function needs it.

```python
import dcp

path = dcp.pretrain("quickstart", sets=["train.epochs=10"])
run = dcp.load_run(path)
run.scores()["knn"]["score"]["top1"]

encoder = dcp.load_encoder(path)  # a frozen torch module
features = encoder(["a.jpg", "b.jpg"])  # [2, D]
```

[A notebook](notebook.ipynb) trains two small runs, measures, plots and compares them.

## A run as an object

`dcp.load_run` reads a run folder without importing torch, also while the run is training. It holds what the [run folder](run-folder.md) holds:

```python
run = dcp.load_run("quickstart-s0")
run  # <dcp run quickstart-s0: done, linear top1 91.0 %, healthy>
run.recipe["network"]["width"]
run.record["images_per_s"]
run.diagnosis.state  # also why, evidence and advice

import pandas as pd

pd.DataFrame(run.metrics("epoch"))  # one row an epoch
pd.DataFrame(run.scores(flat=True))  # one row a score: value, low, high, before, n
```

"""  # noqa: E501 - a page has a paragraph a line
SECTION = re.compile(r"^(Args|Attributes|Returns|Raises):$", re.MULTILINE)


def markdown() -> str:
    """The whole page."""
    parts = [TOP, *_members(), "## The functions\n"]
    for name in dcp.__all__:
        if isinstance(function := getattr(dcp, name), FunctionType):
            parts += [f"### dcp.{name}\n\n{_signature(function, f'dcp.{name}')}\n{_text(function)}"]
    return "\n".join(parts).replace("\n\n\n", "\n\n").rstrip() + "\n"


def _members() -> Iterator[str]:
    """What a loaded run has: attributes, then properties and methods."""
    yield _text(LoadedRun)
    for name, member in vars(LoadedRun).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            fields = ", ".join(f"`{field}`" for field in Diagnosis.__dataclass_fields__)
            yield f"**`.{name}`**: {_lines(member.__doc__)} Its fields are {fields}.\n"
        else:
            yield f"{_signature(member, f'run.{name}')}\n{_text(member)}"


def _signature(function: FunctionType, name: str) -> str:
    """The call in a code block: one parameter a line where it is long."""
    parameters = [each for each in inspect.signature(function).parameters.values() if each.name != "self"]
    texts, starred = [], False
    for each in parameters:
        if each.kind is each.KEYWORD_ONLY and not starred:
            texts, starred = [*texts, "*"], True
        texts.append(each.name if each.default is each.empty else f"{each.name}={each.default!r}")
    call = f"{name}({', '.join(texts)})"
    return f"```python\n{call}\n```\n"


def _text(thing: object) -> str:
    """A docstring as Markdown: its paragraphs, then a list for each of its sections."""
    text = inspect.getdoc(thing) or ""
    top, *sections = SECTION.split(text)
    parts = [_paragraphs(top)]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        body = inspect.cleandoc(body)
        if title == "Returns":
            parts.append(f"**Returns:** {_lines(body)}\n")
            continue
        items = re.split(r"\n(?! )", body)
        listed = [f"- `{name}`: {_lines(rest)}" for name, _, rest in (item.partition(": ") for item in items)]
        parts.append("\n".join([f"**{title}:**\n", *listed]) + "\n")
    return "\n".join(parts)


def _paragraphs(text: str) -> str:
    return "\n\n".join(_lines(part) for part in text.strip().split("\n\n")) + "\n"


def _lines(text: str | None) -> str:
    return " ".join((text or "").split())
