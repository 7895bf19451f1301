"""The model card, README.md: what the encoder is, how to load it, what it scored, what nobody knows of it."""

import json
from importlib.metadata import version

from dcp.exporting.formats.base import Exported, Subject
from dcp.method.backbones import RESNETS
from dcp.method.positives.base import LabelledConfig
from dcp.report import render
from dcp.report.escapes import in_markdown
from dcp.report.page import Page, count, one_line
from dcp.report.summary_page import summary_page

LEFT_OUT = ("Speed",)  # of a run's summary
# what is put in for a key whose path is left out of recipe.toml, and what that is
PUT_IN = {
    "data.root": ("DIR", "the folder of the images"),
    "probe.data.root": ("PROBED", "that of the images that the probes measure"),
    "target.teacher": ("TEACHER", "the run, or the file, of the teacher"),
    "network.weights": ("WEIGHTS", "the starting weights"),
}


def card(subject: Subject, exported: Exported, library: str, code: str) -> str:
    """Markdown with a front matter in YAML, as Hugging Face reads it.

    Args:
        subject: the encoder.
        exported: what is beside the card.
        library: that loads it, as Hugging Face calls it.
        code: Python that loads it.
    """
    run = subject.run
    summary = summary_page(run, every_score=False)
    kept = tuple(block for block in summary.blocks if block.title not in LEFT_OUT)
    results = render.page_markdown(Page(summary.title, kept)).partition("\n\n")[2].strip()
    limits = [
        *exported.limits,
        "It gives features, and no classes.",
        *(["The weights that training began with may have been trained with labels."] if subject.start else []),
        "What it was not tested on, nobody has tested: the scores above are of the data above.",
    ]
    parts = [
        _front_matter(subject, library),
        f"# {_words(run.path.resolve().name)}",
        f"An image encoder, trained {_how(subject)} by dcp {version('dcp')}.",
        f"## Load it\n\n```python\n{code}\n```",
        f"## Preprocessing\n\n{_preprocessing(subject)}",
        f"## Recipe\n\n{_recipe(subject)}",
        results or "## Scores\n\nThe run has not been probed.",
        f"## Licence\n\n{_licence(subject)}",
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in limits),
    ]
    return "\n\n".join(parts) + "\n"


def _words(text: object) -> str:
    """What a file says, within a line of Markdown."""
    return in_markdown(one_line(str(text)))


def _front_matter(subject: Subject, library: str) -> str:
    tags = ["dcp", "self-supervised-learning", "image-feature-extraction", library, subject.recipe.predictor.name]
    front = {
        "library_name": library,
        "license": "unknown",
        "pipeline_tag": "image-feature-extraction",
        "tags": list(dict.fromkeys(tags)),
    }
    yaml = "\n".join(f"{key}: {json.dumps(value)}" for key, value in front.items())  # JSON is YAML too
    return f"---\n{yaml}\n---"


def _how(subject: Subject) -> str:
    positives = subject.recipe.positives
    labels = (
        f"with {100 * positives.labelled:.4g} % of the labels"
        if isinstance(positives, LabelledConfig)
        else "without labels"
    )
    return f"{labels}, from the weights of {_words(subject.start['name'])}," if subject.start else labels


def _preprocessing(subject: Subject) -> str:
    p = subject.preprocessing()
    scaled = "Divide by the largest value of the type (255 of 8 bits, 65,535 of 16)"
    if subject.values is not None:
        low, high = subject.values
        scaled = (
            f"Of values of more than 8 bits take (value - {low!r}) / ({high!r} - {low!r}), cut to [0, 1], and of those "
            "of 8 bits value / 255"
        )
    return (
        f"{scaled}, in steps of 1/{subject.encoder.layout.white:,}: pixels in [0, 1]. "
        f"Resize the short side to {p['resize_short_side']} pixels ({p['interpolation']}){subject.unless}, crop the "
        f"middle {p['center_crop']} x {p['center_crop']}, subtract {p['mean']} and "
        f"divide by {p['std']} ({count(subject.channels, 'channel')})."
    )


def _recipe(subject: Subject) -> str:
    """The recipe in short, and how the run is repeated with it."""
    recipe, network = subject.recipe, subject.recipe.network
    how = f", stem {network.stem}, width {network.width}, {network.norm} norm" if network.backbone in RESNETS else ""
    images = count(subject.run.record.data.n, "image")
    start = f"{subject.start['name']}, licence {subject.start['licence']}" if subject.start else "random weights"
    rows = {
        "network": f"{network.backbone}{how}; {subject.features:,} features",
        "start": start,
        "data": f"{recipe.data.source}, {images}, views of {subject.size} pixels",
        "training": f"{count(recipe.train.epochs, 'epoch')}, batches of {recipe.train.batch:,}, seed {recipe.run.seed}",
        "predictor": recipe.predictor.name,
        "target": recipe.target.name,
        "objective": recipe.objective.name,
        "positives": recipe.positives.name,
    }
    table = "\n".join(f"| {key} | {_words(text)} |" for key, text in rows.items())
    put_in = [(key, *PUT_IN[key]) for key in subject.left_out]
    command = " ".join(["dcp pretrain recipe.toml", *(f"{key}={word}" for key, word, _ in put_in)])
    beside = ", without the paths of the machine that it was trained on" if put_in else ""
    meant = f" ({'; '.join(f'`{word}`: {what}' for _, word, what in put_in)})" if put_in else ""
    return f"| | |\n|---|---|\n{table}\n\nAll of it is in `recipe.toml`{beside}: `{command}` repeats the run{meant}."


def _licence(subject: Subject) -> str:
    start, recipe = subject.start, subject.recipe
    weights = "Of the weights: unknown; whoever publishes them says."
    if start:
        name, licence = _words(start["name"]), _words(start["licence"])
        weights += (
            f" They were made from those of {name}; licence of these: {licence}. It may bind what is made from them."
        )
    return f"{weights} Of the data ({in_markdown(recipe.data.source)}): {recipe.data.licence}."
