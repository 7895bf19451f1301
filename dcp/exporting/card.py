"""The model card, README.md: what the encoder is, how to load it, what it scored, what nobody knows of it."""

import json
from importlib.metadata import version

from dcp.exporting.formats.base import Exported, Subject
from dcp.method.backbones import RESNETS
from dcp.report import render
from dcp.report.escapes import in_markdown
from dcp.report.page import Page, count, one_line
from dcp.report.summary_page import summary_page

LEFT_OUT = ("Speed",)  # of a run's summary


def card(subject: Subject, exported: Exported, library: str, code: str) -> str:
    """Markdown with a front matter in YAML, as Hugging Face reads it.

    Args:
        subject: the encoder.
        exported: what is beside the card.
        library: that loads it, as Hugging Face calls it.
        code: Python that loads it.
    """
    run, recipe = subject.run, subject.recipe
    named = {
        "predictor": recipe.predictor.name,
        "target": recipe.target.name,
        "objective": recipe.objective.name,
        "positives": recipe.positives.name,
    }
    tags = ["dcp", "self-supervised-learning", "image-feature-extraction", library, named["predictor"]]
    front = {
        "library_name": library,
        "license": "unknown",
        "pipeline_tag": "image-feature-extraction",
        "tags": list(dict.fromkeys(tags)),
    }
    yaml = "\n".join(f"{key}: {json.dumps(value)}" for key, value in front.items())  # JSON is YAML too
    title = one_line(run.path.resolve().name)
    network = recipe.network
    how = f", stem {network.stem}, width {network.width}, {network.norm} norm" if network.backbone in RESNETS else ""
    rows = {
        "network": f"{network.backbone}{how}; {subject.features:,} features",
        "data": f"{recipe.data.source}, {count(run.record.data.n, 'image')}, views of {subject.size} pixels",
        "training": f"{count(recipe.train.epochs, 'epoch')}, batches of {recipe.train.batch:,}, seed {recipe.run.seed}",
        **named,
    }
    table = "\n".join(f"| {key} | {in_markdown(one_line(text))} |" for key, text in rows.items())
    summary = summary_page(run, every_score=False)
    kept = tuple(block for block in summary.blocks if block.title not in LEFT_OUT)
    results = render.page_markdown(Page(summary.title, kept)).partition("\n\n")[2].strip()
    p = subject.preprocessing()
    white = subject.encoder.layout.white
    scaled = "Divide by the largest value of the type (255 of 8 bits, 65,535 of 16)"
    if subject.values is not None:
        low, high = subject.values
        scaled = (
            f"Of values of more than 8 bits take (value - {low!r}) / ({high!r} - {low!r}), cut to [0, 1], and of those "
            "of 8 bits value / 255"
        )
    steps = (
        f"{scaled}, in steps of 1/{white:,}: pixels in [0, 1]. "
        f"Resize the short side to {p['resize_short_side']} pixels ({p['interpolation']}), crop the middle "
        f"{p['center_crop']} x {p['center_crop']}, subtract {p['mean']} and "
        f"divide by {p['std']} ({count(subject.channels, 'channel')})."
    )
    limits = [
        *exported.limits,
        "It was trained without labels: it gives features, and no classes.",
        "What it was not tested on, nobody has tested: the scores above are of the data above.",
    ]
    source = in_markdown(recipe.data.source)
    parts = [
        f"---\n{yaml}\n---",
        f"# {in_markdown(title)}",
        f"An image encoder, trained without labels by dcp {version('dcp')}.",
        f"## Load it\n\n```python\n{code}\n```",
        f"## Preprocessing\n\n{steps}",
        f"## Recipe\n\n| | |\n|---|---|\n{table}",
        "All of it is in `recipe.toml`: `dcp pretrain recipe.toml` repeats the run.",
        results or "## Scores\n\nThe run has not been probed.",
        f"## Licence\n\nOf the weights: unknown; whoever publishes them says. Of the data ({source}): "
        f"{recipe.data.licence}.",
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in limits),
    ]
    return "\n\n".join(parts) + "\n"
