"""The table [probe] of a recipe: what is measured, and one table for each evaluation that there is."""

import re
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, create_model, field_validator

from dcp import catalogue
from dcp.catalogue import Strict, variant
from dcp.data.datasets.base import DataConfig
from dcp.recipe.messages import refusal


def _shape(value: Any) -> str:
    return "several" if isinstance(value, (tuple, list)) else "one"


# tagged, so that a wrong value is reported once and not once for every form that it does not have
Layers = Annotated[
    Annotated[Literal["all"], Tag("one")] | Annotated[tuple[str, ...], Tag("several")], Discriminator(_shape)
]


class ProbeSection(Strict):
    """What is known of [probe] before the evaluations are looked up."""

    after: tuple[str, ...]
    primary: str | None
    data: DataConfig | None
    workers: int | None
    layers: Literal["all"] | tuple[str, ...]

    @property
    def wanted(self) -> tuple[str, ...]:
        """What is measured after training: evaluations, and "layers" where some are named."""
        return (*self.after, *(("layers",) if self.layers else ()))

    @field_validator("primary")
    @classmethod
    def _judges(cls, primary: str | None) -> str | None:
        if primary is not None and not re.fullmatch(_primary(), primary):
            evaluation = primary.partition(".")[0]
            describes = evaluation in {*catalogue.names("evaluations")} - {*_judging()}
            what = f": {evaluation} describes features, and does not say how good they are" if describes else ""
            hint = f'EVALUATION.SCORE, for example "linear.top1"; evaluations: {", ".join(_judging())}'
            raise refusal("bad-value", f'{{path}} is "{primary}"{what}', hint)
        return primary


def _judging() -> list[str]:
    """Evaluations that compare features with labels, so that a higher score is a better one."""
    return [name for name in catalogue.names("evaluations") if catalogue.load("evaluations", name).labels]


def _primary() -> str:
    """What `probe.primary` looks like, as a regular expression."""
    return rf"({'|'.join(_judging())})\.[A-Za-z0-9_@.-]{{1,200}}"


def _probe() -> type[ProbeSection]:
    """The model of [probe], with the names of all evaluations, and one table for each."""
    names = catalogue.names("evaluations")
    fields: dict[str, Any] = {
        "after": (
            tuple[Literal[tuple(names)], ...],  # type: ignore[misc]
            Field(("knn", "linear", "spectrum"), description="evaluations to run after training"),
        ),
        "primary": (
            str | None,
            Field(
                None,
                description='the score that decides a comparison, evaluation and score: "finetune.top1"; without it'
                " linear.top1, or knn.top1 where no run has a linear probe",
                json_schema_extra={"pattern": f"^{_primary()}$"},
            ),
        ),
        "data": (
            Annotated[DataConfig, variant("datasets", "source")] | None,
            Field(None, description="labelled images for the probes, if not those of [data]"),
        ),
        "workers": (
            int | None,
            Field(None, ge=0, le=1024, description="processes that decode image files; default: one per spare core"),
        ),
        "layers": (
            Layers,
            Field(
                (),
                description='layers to probe by kNN and a linear classifier: "all", or names as ["layer4", '
                '"projector.0"]; none without',
            ),
        ),
    }
    for name in names:
        config = catalogue.load("evaluations", name).Config
        fields[name] = (config, Field(config(), description=f"settings of the {name} evaluation"))
    return create_model("Probe", __base__=ProbeSection, __doc__="What is measured.", **fields)


Probe = _probe()  # under the name of the class, so that recipes can be pickled
