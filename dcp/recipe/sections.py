"""The sections of a recipe that have one shape only; those with variants take theirs from the plural folders.

Every key has a default, a one-line meaning with its unit, and bounds; docs/recipe.md is made of them.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from dcp import catalogue
from dcp.catalogue import WIDEST
from dcp.catalogue import Strict as Section
from dcp.errors import RequestError
from dcp.recipe import seeds
from dcp.recipe.messages import refusal

Seeds = Annotated[tuple[Annotated[int, Field(ge=0, lt=2**31)], ...], Field(min_length=1)]
Values = Annotated[tuple[Any, ...], Field(min_length=1)]
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$"  # of a folder, or a part of it
NAMED = rf"^$|{NAME}"


class Run(Section):
    """Who the run is."""

    name: str = Field(
        "",
        pattern=NAMED,
        description="name of the run; without it the recipe's file name",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of weights, order and views; the images of shapes have their own")
    tracker: Literal["none", "tensorboard", "wandb", "trackio"] = Field(
        "none", description="metrics also go to this tracker, through Accelerate"
    )


class Projector(Section):
    """The MLP behind the backbone."""

    hidden: int = Field(512, ge=1, le=WIDEST, description="width of the hidden layers")
    out: int = Field(128, ge=2, le=WIDEST, description="D, width of the projections")
    layers: int = Field(2, ge=1, le=8, description="number of linear layers")
    norm: Literal["batch", "layer", "none"] = Field("batch", description="normalisation of the hidden layers")
    affine: bool = Field(False, description="whether these norms have weight and bias")
    out_norm: bool = Field(False, description="a norm without weights after the last layer too, as SimSiam has")


class Network(Section):
    """The branch: backbone and projector."""

    backbone: str = Field(
        "resnet18", description="a model of torchvision or timm; torchvision/NAME and timm/NAME say which"
    )
    stem: Literal["imagenet", "small", "cifar-pad2"] = Field(
        "imagenet", description='of a ResNet: 7x7 stride 2 and max-pool; "small" is 3x3 stride 1 without pool'
    )
    width: int = Field(64, ge=1, le=WIDEST, description="channels of a ResNet's stem; 64 is the ordinary network")
    norm: Literal["batch", "group"] = Field(
        "batch", description="of a ResNet; with group norm images do not see each other"
    )
    sync_norm: bool = Field(
        False, description="batch statistics over all processes (GPUs only) instead of each one's own"
    )
    projector: Projector = Field(Projector(), description="the MLP behind the backbone")


class Moments(Section):
    """The moving average F of the correlation matrix, of which a predictor is set; with any other F is only watched."""

    rho: float = Field(0.5, ge=0, lt=1, description="ρ, weight of the past in F")
    start: Literal["first", "zeros"] = Field("first", description="F starts as that of the first batch, or as zero")
    timing: Literal["stale", "immediate"] = Field(
        "stale", description="a W that is set is that of the step before, or of this very batch"
    )
    source: Literal["pooled", "sequential"] = Field(
        "pooled", description="one update a step from both views, or one a view"
    )
    zero_mean: bool = Field(False, description="centre F with the moving average of the mean")


class Optimizer(Section):
    """How the encoder learns."""

    name: Literal["sgd", "lars", "adamw"] = Field("sgd", description="the optimizer")
    lr: float = Field(
        0.03, gt=0, le=1e30, description="η, learning rate of a step; at lr_batch images where that is given"
    )
    lr_batch: int | None = Field(None, ge=1, le=2**20, description="scale lr by train.batch / lr_batch")
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd and lars; β₁ of adamw")
    weight_decay: float = Field(4e-4, ge=0, le=1e3, description="coupled for sgd and lars (L2), decoupled for adamw")
    exclude: Literal["none", "norm_and_bias"] = Field(
        "none",
        description="parameters without weight decay and LARS scaling: none (as in the papers), or 1-D ones",
    )
    eta: float = Field(0.001, gt=0, le=1e6, description="trust coefficient of lars")
    schedule: Literal["constant", "cosine"] = Field("constant", description="of the learning rate, after the warm-up")
    warmup_epochs: float = Field(0.0, ge=0, description="epochs in which the rate rises from 0")


class Train(Section):
    """The loop."""

    epochs: int = Field(100, ge=1, le=10**6, description="passes over the data")
    batch: int = Field(128, ge=2, le=2**20, description="images an optimizer step, over all processes")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto",
        description="arithmetic of the networks; auto is bf16 where the machine has it natively, else fp32",
    )
    deterministic: bool = Field(False, description="bitwise repeatable on a GPU too, at some cost; a CPU always is")
    join_views: bool = Field(
        False, description="both views in one forward pass: faster, but they share batch statistics"
    )
    graph: Literal["auto", False] = Field(
        "auto", description="auto: with CUDA and one process a step is replayed as one graph; false: never"
    )
    compile: bool = Field(False, description="torch.compile the networks")
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = Field(
        "auto", description="of a CPU that compute; auto: OMP_NUM_THREADS, or what is fastest when a run begins"
    )
    workers: int | None = Field(
        None, ge=0, le=1024, description="processes that decode image files; without it one a spare core"
    )
    readout: bool = Field(
        True, description="show how good the features are, where images have labels; these never train the encoder"
    )
    log_every: int = Field(10, ge=1, le=10**6, description="steps between two lines in metrics.jsonl")
    save_every: int | None = Field(
        None,
        ge=1,
        le=10**9,
        description="steps between two checkpoints; without it at an epoch's end if the last is 30 s old",
    )

    @field_validator("graph", mode="before")
    @classmethod
    def _no_number(cls, given: Any) -> Any:
        """Refuse 0, which equals false and is none."""
        if isinstance(given, (int, float)) and not isinstance(given, bool):
            raise refusal("bad-value", f"{{path}} is {given}", '"auto" or false')
        return given


class Published(Section):
    """A number that somebody else has published, to be shown beside ours."""

    arm: str = Field("", description="the arm of [study.arms] it is of; left out where a study has axes only")
    at: dict[str, Any] = Field({}, description="the point on the axes it is of, e.g. { train.epochs = 100 }")
    score: str = Field(description='ours that it stands beside, evaluation and score: "linear.top1"')
    value: float = Field(description="as the source prints it; shares of test images in percent")
    spread: float | None = Field(None, ge=0, description="standard deviation over seeds, as the source prints it")
    seeds: int | None = Field(None, ge=1, le=10**4, description="how many seeds it is the mean of")
    source: str = Field(min_length=1, description="who has published it, where: author, year, table")
    note: str = Field("", description="what a reader must know to compare: protocol, selection, what is not certain")

    @field_validator("score")
    @classmethod
    def _names_a_score(cls, score: str) -> str:
        evaluation, _, name = score.partition(".")
        known = catalogue.names("evaluations")
        if evaluation not in known or not name:
            raise refusal("bad-value", f'{{path}} is "{score}"', f"EVALUATION.SCORE, of {', '.join(known)}")
        return score


class Study(Section):
    """Many runs as one: every arm, at every point of the axes, with every seed."""

    seeds: Annotated[tuple[int, ...], catalogue.checked_as(str | Seeds)] = Field(
        "0-4", validate_default=True, description='of every arm: "0-4", "0,1,2", or a list'
    )
    arms: dict[Annotated[str, Field(pattern=NAME)], dict[str, Any]] = Field(
        {}, description="named sets of keys, each a part of a recipe; extends puts another recipe below"
    )
    axes: dict[str, Values] = Field({}, description="dotted keys, each with the list of its values")
    skip: tuple[str, ...] = Field((), description='arms that are left out, by name or pattern: "linear-eps*"')
    published: tuple[Published, ...] = Field((), description="what papers report, shown beside ours")

    @field_validator("seeds")
    @classmethod
    def _ascending(cls, given: str | Seeds) -> tuple[int, ...]:
        try:
            return tuple(seeds.parse(given) if isinstance(given, str) else sorted(set(given)))
        except RequestError as error:
            raise refusal(error.slug, f"{{path}}: {error.message}", error.hint) from None
