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
    """Name, seed and tracker of the run."""

    name: str = Field(
        "",
        pattern=NAMED,
        description="name of the run; default: the recipe's file name",
    )
    seed: int = Field(
        0,
        ge=0,
        lt=2**31,
        description="seed of the weights, the order and the views; the images of shapes have data.seed",
    )
    tracker: Literal["none", "tensorboard", "wandb", "trackio"] = Field(
        "none", description="also log metrics to this tracker, through Accelerate"
    )


class Projector(Section):
    """The MLP behind the backbone."""

    hidden: int = Field(512, ge=1, le=WIDEST, description="width of the hidden layers")
    out: int = Field(128, ge=2, le=WIDEST, description="D, width of the projections")
    layers: int = Field(2, ge=1, le=8, description="number of linear layers")
    norm: Literal["batch", "layer", "none"] = Field("batch", description="normalisation of the hidden layers")
    affine: bool = Field(False, description="whether these norms have a learned weight and bias")
    out_norm: bool = Field(False, description="also a norm without weights after the last layer, as in SimSiam")
    init_scale: float = Field(
        1.0, gt=0, le=1e6, description="factor on the last layer's initial weights; with 1e-4 training starts collapsed"
    )


class Network(Section):
    """The branch: backbone and projector."""

    backbone: str = Field(
        "resnet18", description="a torchvision or timm model; torchvision/NAME or timm/NAME says which"
    )
    stem: Literal["imagenet", "small", "small-stride2", "cifar-pad2"] = Field(
        "imagenet", description='of a ResNet: 7x7, stride 2, max-pool; "small" is 3x3, stride 1 or 2, no pooling'
    )
    width: int = Field(64, ge=1, le=WIDEST, description="channels of a ResNet's stem; 64 is the standard network")
    weights: str = Field(
        "",
        max_length=4096,
        description="what the backbone starts from: a run, an exported folder, a .safetensors file, "
        '"timm" or "torchvision"; empty: random weights',
    )
    norm: Literal["batch", "group"] = Field(
        "batch", description="norm layers of a ResNet; group norm keeps images independent of each other"
    )
    sync_norm: bool = Field(False, description="synchronise batch norm over all processes (GPUs only)")
    projector: Projector = Field(Projector(), description="the MLP after the backbone")


class Moments(Section):
    """The moving average F of the correlation matrix, of which a predictor is set; with any other F is only watched."""

    rho: float = Field(0.5, ge=0, lt=1, description="ρ, weight of the past in F")
    rho_end: float | None = Field(
        None, ge=0, lt=1, description="ρ at the end of the training, rho being that of its start; default: constant"
    )
    rho_schedule: Literal["linear", "cosine"] = Field("linear", description="how ρ goes from rho to rho_end")
    start: Literal["first", "zeros"] = Field("first", description="F starts from the first batch, or from zero")
    timing: Literal["stale", "immediate"] = Field(
        "stale", description="set W from F before this batch (stale), or including it (immediate)"
    )
    source: Literal["pooled", "sequential"] = Field(
        "pooled", description="update F once per step with all views, or once per view"
    )
    zero_mean: bool = Field(False, description="centre F, by a moving average of the mean")


class Optimizer(Section):
    """The optimizer and the learning rate."""

    name: Literal["sgd", "lars", "adamw"] = Field("sgd", description="the optimizer")
    lr: float = Field(
        0.03, gt=0, le=1e30, description="η, learning rate; if lr_batch is given, the rate for a batch of that size"
    )
    lr_batch: int | None = Field(None, ge=1, le=2**20, description="scale lr by train.batch / lr_batch")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of sgd and lars; β₁ of adamw")
    weight_decay: float = Field(
        4e-4, ge=0, le=1e3, description="weight decay: L2 for sgd and lars, decoupled for adamw"
    )
    exclude: Literal["none", "norm_and_bias"] = Field(
        "none",
        description="exempt from weight decay and LARS scaling: nothing (as in the papers), or 1-D parameters",
    )
    eta: float = Field(0.001, gt=0, le=1e6, description="trust coefficient of lars")
    schedule: Literal["constant", "cosine"] = Field("constant", description="learning-rate schedule after the warm-up")
    warmup_epochs: float = Field(0.0, ge=0, description="epochs of linear learning-rate warm-up")
    clip: float | None = Field(
        None, gt=0, le=1e30, description="largest norm of the gradient of all weights together; default: no limit"
    )
    clip_from: int = Field(0, ge=0, le=10**6, description="first epoch in which it is clipped, counted from 0")


class Train(Section):
    """The training loop."""

    epochs: int = Field(100, ge=1, le=10**6, description="passes over the data")
    batch: int = Field(128, ge=2, le=2**20, description="images per optimizer step, over all processes")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto",
        description="precision of the networks; auto: bf16 if the hardware supports it, else fp32",
    )
    deterministic: bool = Field(
        False, description="bitwise reproducible on a GPU too, at some cost in speed; a CPU always is"
    )
    join_views: bool = Field(
        False, description="all views of a size in one forward pass: faster, but they share batch statistics"
    )
    graph: Literal["auto", False] = Field(
        "auto", description="auto: replay each step as one CUDA graph (CUDA, one process); false: never"
    )
    compile: bool = Field(False, description="compile the networks with torch.compile")
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = Field(
        "auto", description="CPU threads; auto: OMP_NUM_THREADS, or the number measured fastest at the start"
    )
    workers: int | None = Field(
        None, ge=0, le=1024, description="processes that decode image files; default: one per spare core"
    )
    readout: bool = Field(
        True, description="online kNN and linear probes while training (needs labels); no gradient to the encoder"
    )
    log_every: int = Field(10, ge=1, le=10**6, description="steps between two lines in metrics.jsonl")
    save_every: int | None = Field(
        None,
        ge=1,
        le=10**9,
        description="steps between checkpoints; default: after an epoch, if the last one is 30 s old",
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

    arm: str = Field("", description="the arm of [study.arms] that it belongs to; left out if the study has only axes")
    at: dict[str, Any] = Field({}, description="the point on the axes that it belongs to, e.g. { train.epochs = 100 }")
    score: str = Field(description='our score to show it beside, EVALUATION.SCORE: "linear.top1"')
    value: float = Field(description="the number as printed; accuracies in percent")
    spread: float | None = Field(None, ge=0, description="std over seeds, as printed")
    seeds: int | None = Field(None, ge=1, le=10**4, description="number of seeds averaged")
    source: str = Field(min_length=1, description="where it was published: authors, year, table")
    note: str = Field("", description="what to know before comparing: protocol, model selection, doubts")

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
        "0-4", validate_default=True, description='seeds of every arm: "0-4", "0,1,2", or a list'
    )
    arms: dict[Annotated[str, Field(pattern=NAME)], dict[str, Any]] = Field(
        {}, description="named partial recipes; extends puts another recipe underneath"
    )
    axes: dict[str, Values] = Field({}, description="dotted keys, each with a list of values")
    skip: tuple[str, ...] = Field((), description='arms to leave out, by name or pattern: "linear-eps*"')
    published: tuple[Published, ...] = Field((), description="published numbers, shown beside ours")

    @field_validator("seeds")
    @classmethod
    def _ascending(cls, given: str | Seeds) -> tuple[int, ...]:
        try:
            return tuple(seeds.parse(given) if isinstance(given, str) else sorted(set(given)))
        except RequestError as error:
            raise refusal(error.slug, f"{{path}}: {error.message}", error.hint) from None
