"""Records: what run.json and probes/*.json hold, typed.

Hands and other programs write these files too, and their readers rely on what is checked here. A value that is null is
not known; keys that are not listed are kept as they are.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError

from dcp.errors import RequestError, printable
from dcp.runs.json_files import broken, read_json

SCHEMA = 1  # of run.json and of probes/*.json
LARGEST = 1e300  # what is larger is no measurement, and arithmetic on it overflows
MOST_SCORES = 10_000  # of all probes of a run
UNTRAINED, BEFORE = "untrained", "before training"  # the encoder that training started with: random, or from weights
BY_LAYER = (".knn", ".linear")  # what the names of scores of layers end with
SCORE_NAME = re.compile(r"[A-Za-z0-9_@.-]{1,200}")  # reports print it


def is_share(score: str) -> bool:
    """Whether a score is a share of the test images: it lies in [0, 1] and is shown in percent.

    Of the probes by layer, "layer4.knn" and "layer4.linear" are.

    >>> is_share("top1"), is_share("rankme"), is_share("projector.0.linear")
    (True, False, True)
    """
    return score.startswith("top") or "accuracy" in score or score.endswith(BY_LAYER)


def _number(value: Any) -> float:
    """The number as it is: an integer stays one, so that a file that is written again keeps its bytes."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValueError("no number")
    if not abs(value) <= LARGEST:  # nan is not, either
        raise ValueError("no finite number")
    return value


def _named(table: Any) -> Any:
    """An object by names of scores; empty for null."""
    if isinstance(table, dict) and len(table) > MOST_SCORES:
        raise ValueError(f"an object of more than {MOST_SCORES:,} scores")
    odd = [name for name in table if not SCORE_NAME.fullmatch(name)] if isinstance(table, dict) else []
    if odd:
        name = printable(odd[0][:60])
        raise ValueError(f'an object with a score called "{name}"; letters, digits and _ @ . - make its name')
    return {} if table is None else table


def _shares(scores: dict[str, Any]) -> dict[str, Any]:
    for name, value in scores.items():
        if is_share(name) and value is not None and not 0 <= value <= 1:
            raise ValueError(f"an object whose {name} is {value}, and a share lies between 0 and 1")
    return scores


def _ends(value: Any) -> tuple[float | None, float | None]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("no list of two numbers")
    low, high = (None if end is None else _number(end) for end in value)
    return low, high


NOT_KNOWN = BeforeValidator(lambda value: {} if value is None else value)
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
Table = Annotated[dict[str, Any], NOT_KNOWN]
Whole = Annotated[int, Field(ge=0, lt=2**63)]
Number = Annotated[float, PlainValidator(_number)]
Ends = Annotated[tuple[float | None, float | None], PlainValidator(_ends)]


class Record(BaseModel):
    """An object in a file of a run."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")


class TrainingData(Record):
    """The training images of a run."""

    fingerprint: str | None = None
    n: Whole | None = None
    source: str | None = None


class State(Record):
    """The diagnosis of a run; "" where there is none."""

    name: Text = ""
    evidence: Text = ""
    cause: Text = ""
    advice: Text = ""


class RunRecord(Record):
    """run.json: how a run was made, and what became of it."""

    name: str = ""  # recipe key `run.name`
    seed: Whole = 0  # recipe key `run.seed`
    status: str = "unknown"  # "running", "done", "failed" or "interrupted"; `Run.status` knows a further one
    why: Text = ""  # it did not end well
    error: Text = ""  # slug of the error that ended it; "" if none did, and in runs of older versions
    data: Annotated[TrainingData, NOT_KNOWN] = TrainingData()
    roots: Table = {}  # whole paths of the relative ones in its recipe, by key
    facts: Table = {}  # what the variants of the recipe say of themselves, which the diagnosis rests on
    state: Annotated[State, NOT_KNOWN] = State()  # the diagnosis
    weights: Table = {}  # that it began with, where they were not random: source, licence, ...
    versions: Table = {}  # of packages, by name
    sittings: list[Any] = []  # when, where and from which step on it was trained
    device: Text = ""
    processes: Whole | None = None  # that trained together
    threads: Whole | None = None  # of a CPU, with which it began
    graph: bool | str | None = None  # whether a step was replayed as one CUDA graph, or why not
    steps: Whole | None = None  # optimizer steps of the whole training
    flops_per_image: Number | None = None  # of a training step, a multiplication and an addition counted as two
    images_seen: Number | None = None  # by all steps
    images_per_s: Number | None = None  # images, not views, through a training step
    wall_s: Number | None = None  # seconds of training
    peak_memory_bytes: Number | None = None  # of the accelerator, or of the process on a CPU

    @property
    def baseline(self) -> str:
        """What the encoder that training started with is called in reports."""
        return BEFORE if self.weights else UNTRAINED


class Scored(Record):
    """Scores by name, shares in [0, 1]; and the 95 % intervals of those that have one."""

    score: Annotated[dict[str, Number | None], BeforeValidator(_named), AfterValidator(_shares)] = {}
    interval: Annotated[dict[str, Ends | None], BeforeValidator(_named)] = {}


class Baseline(Scored):
    """Scores of the encoder that training started with."""

    what: Text = ""  # UNTRAINED or BEFORE; "" in older probes, where it is the former


class ProbeRecord(Scored):
    """probes/<evaluation>.json: what an evaluation found."""

    evaluation: str = ""  # its name
    n: Whole | None = None  # test images
    random_encoder: Annotated[Baseline, NOT_KNOWN] = Baseline()
    data: Table = {}  # source, and fingerprints of the "train" and "test" images; nothing in older probes
    settings: Table = {}  # everything that decided how it was measured
    extra: Table = {}  # findings that are no score
    step: Whole | None = None  # steps that the encoder was trained
    predictions_sha256: str | None = None  # of the file of predictions that belongs to these scores


R = TypeVar("R", bound=Record)
# what pydantic calls them, and what a person is told
PROBLEMS = {
    "string_type": "no text",
    "string_unicode": "no text",  # a key with half a character, "\\ud800"; pydantic does not say which
    "int_type": "no whole number",
    "greater_than_equal": "no whole number",
    "less_than": "no whole number",
    "list_type": "no list",
    "dict_type": "no object",
    "model_type": "no object",
}


def typed(kind: type[R], content: Mapping[str, Any], path: Path) -> R:
    """The record that the file at `path` holds, or is to hold.

    Raises:
        RequestError: "broken-run", with a key whose value is wrong.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        words = PROBLEMS.get(problem["type"]) or str(problem.get("ctx", {}).get("error", problem["msg"]))
        key = " is an object whose ".join(map(str, problem["loc"])) or "a key"
        raise broken(path, f"{key} is {words}") from None


def read_probe(path: Path) -> ProbeRecord:
    """Read scores of an evaluation.

    Raises:
        RequestError: "broken-run", with the reason, or "newer-run".
    """
    content = read_json(path)
    check_schema(content.get("schema", SCHEMA), path)
    return typed(ProbeRecord, content, path)


def check_schema(schema: object, path: Path) -> None:
    """Refuse a file of a later dcp."""
    if not isinstance(schema, int):
        raise broken(path, 'it has no "schema"')
    if schema > SCHEMA:
        message = f"written by a newer dcp (schema {schema}; this one reads up to {SCHEMA})"
        raise RequestError(message, slug="newer-run", where=str(path), hint="Upgrade dcp to read it.")
