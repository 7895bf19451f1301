"""What a wrong recipe is answered: what is wrong, where, what would be right, and the nearest name."""

from typing import Any

import pytest
import tomli

from dcp import catalogue
from dcp.errors import Problems, RequestError, squeezed
from dcp.recipe import other_names, schema
from dcp.recipe.recipe import Recipe

RIGHT = '[data]\nsource = "cifar10"\n[predictor]\nname = "directcopy"\n'
DIRECTCOPY = 'predictor "directcopy" has name, eps, lr_factor, lr_schedule, weight_decay, every, norm'
DIRECTPRED = 'predictor "directpred" has name, eps, eps_place, root, lr_factor, lr_schedule, weight_decay, every, norm'
SECTIONS = (
    "known here: study, run, data, views, network, predictor, moments, target, objective, positives, "
    "optimizer, train, probe"
)
ALPHA = "\nelsewhere there is predictor.alpha of directset; target.alpha of frozen"
BATCH = "\nelsewhere there is train.batch; probe.finetune.batch of finetune; probe.linear.batch of linear"


def problems(text: str) -> list[RequestError]:
    with pytest.raises(Problems) as caught:
        Recipe.check(tomli.loads(text), "mine.toml")
    return caught.value.problems


def listed(folder: str) -> str:
    return ", ".join(catalogue.names(folder))


def quoted(folder: str) -> str:
    *names, last = [f'"{name}"' for name in catalogue.names(folder)]
    return f"{', '.join(names)} or {last}"


# TOML below RIGHT, or instead of it where it has its own [data] -> what is wrong, and what would be right
UNKNOWN_KEY = {
    "epsilon = 0.1": ("there is no key predictor.epsilon", f"{DIRECTCOPY}. Did you mean eps?"),
    "alpha = 0.5": ("there is no key predictor.alpha", DIRECTCOPY + ALPHA),
    RIGHT.replace("copy", "pred") + "alpha = 0.5": ("there is no key predictor.alpha", DIRECTPRED + ALPHA),
    "[optimiser]\nlr = 1": ("there is no section [optimiser]", f"{SECTIONS}. Did you mean optimizer?"),
    "momentum = 0.9\n" + RIGHT: ("there is no key momentum", f"{SECTIONS}. Did you mean moments?"),
    "batch = 3\n" + RIGHT: ("there is no key batch", SECTIONS + BATCH),
    "'a.b' = 3\n" + RIGHT: ("there is no key a.b", SECTIONS),
    "batch_size = 3\n" + RIGHT: ("there is no key batch_size", f"{SECTIONS}. Here that is train.batch"),
    RIGHT.replace("[pred", "batchsize = 3\n[pred"): (
        "there is no key data.batchsize",
        'data "cifar10" has source, image_size, root, download, limit. Here that is train.batch',
    ),
    "[optimizer]\nlearning_rate = 3": (
        "there is no key optimizer.learning_rate",
        "known here: name, lr, lr_batch, momentum, weight_decay, exclude, eta, schedule, warmup_epochs, clip, "
        "clip_from. Here that is optimizer.lr",
    ),
    "[views.jitter]\nhu = 0.1": (
        "there is no key views.jitter.hu",
        "known here: brightness, contrast, saturation, hue. Did you mean hue?",
    ),
    "[views.normalize]\nmean = [0, 0, 0]\nstd = [1, 1, 1]\nvar = 1": (
        "there is no key views.normalize.var",
        "known here: mean, std",
    ),
}
UNKNOWN_NAME = {
    RIGHT.replace("directcopy", "directcpy"): (
        'there is no predictor called "directcpy"',
        f"known: {listed('predictors')}. Did you mean directcopy?",
    ),
    RIGHT.replace("directcopy", "byol"): (
        'there is no predictor called "byol"',
        f'known: {listed("predictors")}. Here that is predictor.name = "mlp"',
    ),
    RIGHT.replace("directcopy", "simsiam"): (
        'there is no predictor called "simsiam"',
        f'known: {listed("predictors")}. Here that is predictor.name = "mlp" with target.name = "online"',
    ),
    RIGHT.replace("cifar10", "ImageFolder"): (
        'there is no data source called "ImageFolder"',
        f'known: {listed("datasets")}. Here that is data.source = "folder"',
    ),
    RIGHT.replace("cifar10", "cifar"): (
        'there is no data source called "cifar"',
        f"known: {listed('datasets')}. Did you mean cifar10?",
    ),
    '[target]\nname = "onlin"': (
        'there is no target called "onlin"',
        "known: distill, ema, filtered, frozen, online, shared. Did you mean online?",
    ),
}
MISSING_KEY = {
    '[data]\nsource = "cifar10"': ("predictor is missing", f"add [predictor] with name = {quoted('predictors')}"),
    '[data]\n[predictor]\nname = "identity"': ("data.source is missing", f"expected {quoted('datasets')}"),
    '[data]\nsource = "cifar10"\n[predictor]\neps = 0.1': (
        "predictor.name is missing",
        f"expected {quoted('predictors')}",
    ),
    RIGHT.replace("cifar10", "folder"): (
        "data.root is missing",
        "add it: folder of the images; may begin with ~ or $DCP_DATA",
    ),
}
BAD_TYPE = {  # nothing is coerced
    'eps = "0.1"': ('predictor.eps is "0.1"', "expected a number, e.g. 0.3"),
    "eps = true": ("predictor.eps is true", "expected a number, e.g. 0.3"),
    "eps = [0.1]": ("predictor.eps is [0.1]", "expected a number, e.g. 0.3"),
    "eps = { x = 0.1 }": ("predictor.eps is a table", "expected a number, e.g. 0.3"),
    'eps = "one\\ntwo"': ('predictor.eps is "one\\ntwo"', "expected a number, e.g. 0.3"),
    "[train]\nepochs = 1.5": ("train.epochs is 1.5", "expected a whole number, e.g. 100"),
    "[train]\nepochs = 10.0": ("train.epochs is 10.0", "expected a whole number, e.g. 100"),
    "[train]\nepochs = true": ("train.epochs is true", "expected a whole number, e.g. 100"),
    "[train]\nepochs = 2024-01-01": ("train.epochs is 2024-01-01", "expected a whole number, e.g. 100"),
    "[train]\ncompile = 1": ("train.compile is 1", "expected true or false"),
    '[train]\ncompile = "true"': ('train.compile is "true"', "expected true or false"),
    "[network]\nbackbone = 18": ("network.backbone is 18", 'expected a string, e.g. "resnet18"'),
    '[probe]\nafter = "knn"': ('probe.after is "knn"', 'expected a list, e.g. ["knn", "linear", "spectrum"]'),
    "[views]\ncrop_scale = 0.5": ("views.crop_scale is 0.5", "expected a list, e.g. [0.08, 1.0]"),
    "[views]\njitter = 0.4": ("views.jitter is 0.4", "expected a table"),
    "run = 3\n" + RIGHT: ("run is 3", "expected a table"),
}
EXACT = f"expected a whole number from -{2**53} to {2**53} (2^53), beyond which floats skip some; or one with a point"
BAD_VALUE = {
    '[probe]\nafter = ["knn", "lineal"]': (
        'probe.after[1] is "lineal"',
        f"expected {quoted('evaluations')}. Did you mean linear?",
    ),
    '[network]\nstem = "smal"': (
        'network.stem is "smal"',
        'expected "imagenet", "small", "small-stride2" or "cifar-pad2". Did you mean small?',
    ),
    '[views]\nnormalize = "imagenette"': (
        'views.normalize is "imagenette"',
        'expected "none", "computed", "cifar10" or "imagenet". Did you mean imagenet?',
    ),
    "eps = -0.1": ("predictor.eps is -0.1", "expected at least 0"),
    "eps = nan": ("predictor.eps is nan", "expected a finite number"),
    "[optimizer]\nlr = inf": ("optimizer.lr is inf", "expected a finite number"),
    "[views]\ncrop_ratio = [1, inf]": ("views.crop_ratio[1] is inf", "expected a finite number"),
    "[probe.linear]\nl2 = [nan]": ("probe.linear.l2[0] is nan", "expected a finite number"),
    f"[train]\nepochs = {2**63}": (f"train.epochs is {2**63}", "expected at most 1000000"),
    f"[optimizer]\nlr = {2**53 + 1}": (f"optimizer.lr is {2**53 + 1}", EXACT),
    f"[optimizer]\nlr = {2**63 - 1}": (f"optimizer.lr is {2**63 - 1}", EXACT),
    f"[probe.finetune]\nlr = [{2**63 - 1}]": (f"probe.finetune.lr is [{2**63 - 1}]", EXACT),
    '[network]\nbackbone = "a\\u0000b"': (
        'network.backbone is "a\\u0000b"',
        "expected text without the character of code 0",
    ),
    "[optimizer]\nlr = 0": ("optimizer.lr is 0", "expected more than 0"),
    "[moments]\nrho = 1": ("moments.rho is 1", "expected less than 1"),
    "[views]\nflip = 2": ("views.flip is 2", "expected at most 1"),
    "[views]\nflip = [0.5, 2]": ("views.flip[1] is 2", "expected at most 1"),
    "[views]\nflip = [0.5]": ("views.flip is [0.5]", "expected 2 values"),
    "[views]\ncrop_scale = []": ("views.crop_scale is []", "expected 2 values"),
    "[views]\ncrop_scale = [0.1, 0.2, 0.3]": ("views.crop_scale is [0.1, 0.2, 0.3]", "expected 2 values"),
    "[probe.linear]\nl2 = []": ("probe.linear.l2 is []", "expected a list of 1 or more"),
    "[views.blur]\nkernel = 4": ("views.blur: kernel must be odd, not 4", ""),
    '[run]\nname = "a/b"': (
        'run.name is "a/b"',
        "expected letters, digits, dots, dashes and underscores, a letter or digit first; at most 200",
    ),
    "[run]\nseed = -1": ("run.seed is -1", "expected at least 0"),
    "[run]\nseed = 2147483648": ("run.seed is 2147483648", "expected less than 2147483648"),
}
BAD_COMBINATION = {  # right alone and wrong together
    RIGHT.replace("directcopy", "mlp") + '[objective]\nname = "iso_cosine"': (
        'objective.name = "iso_cosine" needs a symmetric W; predictor.name = "mlp" has none',
        "take a predictor that is set from F (directcopy, directpred, directset), or cosine",
    ),
    'every = 5\n[moments]\ntiming = "immediate"': (
        'moments.timing = "immediate" sets W at every step, and predictor.every = 5 asks for less',
        'take timing = "stale" with every > 1, or every = 1',
    ),
    "[train]\nepochs = 3\n[optimizer]\nwarmup_epochs = 4": (
        "optimizer.warmup_epochs = 4 is more than train.epochs = 3",
        "at most 3: the rate rises during a part of the training",
    ),
}
WRONG = [
    pytest.param(slug, text if "[data]" in text else RIGHT + text, *answer, id=f"{slug}: {answer[0][:60]}")
    for slug, table in {
        "unknown-key": UNKNOWN_KEY,
        "unknown-name": UNKNOWN_NAME,
        "missing-key": MISSING_KEY,
        "bad-type": BAD_TYPE,
        "bad-value": BAD_VALUE,
        "bad-combination": BAD_COMBINATION,
    }.items()
    for text, answer in table.items()
]


@pytest.mark.parametrize(("slug", "text", "message", "hint"), WRONG)
def test_a_wrong_recipe_is_answered_in_these_words(slug: str, text: str, message: str, hint: str) -> None:
    (problem,) = problems(text)
    assert (problem.slug, problem.message, problem.hint) == (slug, message, hint)
    assert (problem.where, problem.exit_code) == ("mine.toml", 2)


def test_the_largest_whole_number_that_a_float_keeps_is_kept() -> None:
    recipe = Recipe.check(tomli.loads(f"{RIGHT}[optimizer]\nlr = {2**53}"))
    assert recipe.optimizer.lr == 2**53


def test_what_others_call_a_thing_leads_to_a_key_or_a_variant_that_is_there() -> None:
    """Each entry of the table can be written, and none stands in the way of a name of ours."""
    keys = {f"{table.path}.{name}" for table in schema.tables(Recipe) for name in table.keys}
    assert set(other_names.KEYS.values()) <= keys
    for section, names in other_names.VARIANTS.items():
        folder = {"data": "datasets", "positives": "positives"}.get(section, f"{section}s")
        assert not names.keys() & set(map(squeezed, catalogue.names(folder)))
        for text in names.values():
            assert text.rpartition('= "')[2].rstrip('"') in {*catalogue.names(folder), "online"}
    for name in [*other_names.KEYS, *(name for names in other_names.VARIANTS.values() for name in names)]:
        assert name == squeezed(name)


def test_a_message_shows_slug_place_and_hint() -> None:
    assert str(problems(RIGHT + "alpha = 0.5")[0]) == (
        "error[unknown-key]: there is no key predictor.alpha (mine.toml)\n"
        f"  {DIRECTCOPY}\n"
        "  elsewhere there is predictor.alpha of directset; target.alpha of frozen"
    )


def test_an_empty_recipe_is_told_both_sections_that_it_needs() -> None:
    assert [problem.message for problem in problems("")] == ["data is missing", "predictor is missing"]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    wrong = """
        [data]
        source = "cifar1"
        limit = 0.5
        [predictor]
        name = "directcopy"
        eps = -1
        epz = 2
        [optimizer]
        lr = nan
        name = "sdg"
        [train]
        epochs = "ten"
        [probe]
        after = ["knnn"]
        [predictr]
    """
    found = problems(wrong)
    assert {problem.message for problem in found} == {
        'there is no data source called "cifar1"',
        "predictor.eps is -1",
        "there is no key predictor.epz",
        "optimizer.lr is nan",
        'optimizer.name is "sdg"',
        'train.epochs is "ten"',
        'probe.after[0] is "knnn"',
        "there is no section [predictr]",
    }
    assert len(found) == 8


@pytest.mark.parametrize("number", ["1", "0", "7"])
def test_a_whole_number_may_stand_for_a_number(number: str) -> None:
    eps: Any = Recipe.check(tomli.loads(RIGHT + f"eps = {number}")).predictor
    assert eps.eps == float(number)
    assert isinstance(eps.eps, float)


def test_a_number_stays_the_number_that_was_written() -> None:
    recipe: Any = Recipe.check(tomli.loads(RIGHT + "eps = 0.30000000000000004"))
    assert recipe.predictor.eps == 0.30000000000000004


def test_a_long_wrong_value_is_cut() -> None:
    (problem,) = problems(RIGHT + f"eps = [{', '.join(['1'] * 500)}]")
    assert len(problem.message) < 100
    assert problem.message.endswith("1 ...") or problem.message.endswith(", ...")


@pytest.mark.parametrize("predictor", ["directcopy", "directpred", "directset", "identity"])
def test_an_iso_objective_goes_with_a_symmetric_predictor(predictor: str) -> None:
    Recipe.check({"data": {"source": "cifar10"}, "predictor": {"name": predictor}, "objective": {"name": "iso_cosine"}})


def test_a_warm_up_may_last_the_whole_training() -> None:
    Recipe.check(tomli.loads(RIGHT + "[train]\nepochs = 3\n[optimizer]\nwarmup_epochs = 3.0"))


@pytest.mark.parametrize("value", ["lr_factor=2.0", 'lr_schedule="constant"', "weight_decay=0.1"])
def test_a_key_that_could_have_no_effect_on_a_predictor_that_is_always_set_is_refused(value: str):
    with pytest.raises(Problems, match="has no effect"):
        Recipe.read("tiny/directcopy", (f"predictor.{value}",))
    Recipe.read("tiny/directpred", (f"predictor.{value}", "predictor.every=5"))


@pytest.mark.parametrize(
    ("value", "slug", "message", "hint"),
    [
        ('"spectrum.rankme"', "bad-value", "spectrum describes features, and does not say", "EVALUATION.SCORE"),
        ('"lin.top1"', "bad-value", 'probe.primary is "lin.top1"', "evaluations: clustering, finetune, knn, linear"),
        ('"linear"', "bad-value", 'probe.primary is "linear"', 'for example "linear.top1"'),
        ('"linear."', "bad-value", 'probe.primary is "linear."', 'for example "linear.top1"'),
        ('"retrieval.map"', "bad-combination", "is not measured", '"spectrum", "retrieval"]'),
        ("5", "bad-type", "probe.primary is 5", "expected a string"),
    ],
)
def test_a_primary_score_is_one_that_the_recipe_measures_with_labels(value, slug, message, hint) -> None:
    with pytest.raises(RequestError) as caught:
        Recipe.read("tiny/directcopy", (f"probe.primary={value}",))
    (problem,) = caught.value.problems
    assert (problem.slug, message in problem.message, hint in problem.hint) == (slug, True, True), problem


def test_a_primary_score_is_written_only_where_it_is_given() -> None:
    sets = ('probe.after=["retrieval"]', 'probe.primary="retrieval.map"')
    assert 'primary = "retrieval.map"\n' in Recipe.read("tiny/directcopy", sets).toml()
    assert "primary" not in Recipe.read("tiny/directcopy").toml()
    assert Recipe.read("tiny/directcopy", ('probe.after=["knn"]',)).probe.primary is None
