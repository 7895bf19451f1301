"""What a wrong recipe is answered: what is wrong, where, what would be right, and the nearest name."""

from typing import Any

import pytest
import tomli

from dcp import catalogue
from dcp.errors import Problems, RequestError
from dcp.recipe.recipe import Recipe

RIGHT = '[data]\nsource = "cifar10"\n[predictor]\nname = "directcopy"\n'
DIRECTCOPY = 'predictor "directcopy" has name, eps, lr_factor, lr_schedule, weight_decay, every, norm'
NAMES = "study run data views network predictor moments target objective positives optimizer train probe"
SECTIONS = f"known here: {', '.join(NAMES.split())}"


def problems(text: str) -> list[RequestError]:
    with pytest.raises(Problems) as caught:
        Recipe.check(tomli.loads(text), "mine.toml")
    return caught.value.problems


def said(text: str) -> str:
    return "\n".join(map(str, problems(text)))


def listed(folder: str) -> str:
    return ", ".join(catalogue.names(folder))


def quoted(folder: str) -> str:
    *names, last = [f'"{name}"' for name in catalogue.names(folder)]
    return f"{', '.join(names)} or {last}"


ONE = {
    # keys and sections that do not exist
    RIGHT + "epsilon = 0.1": f"""\
error[unknown-key]: there is no key predictor.epsilon (mine.toml)
  {DIRECTCOPY}. Did you mean eps?""",
    RIGHT + "alpha = 0.5": f"""\
error[unknown-key]: there is no key predictor.alpha (mine.toml)
  {DIRECTCOPY}
  elsewhere there is predictor.alpha of directset; target.alpha of frozen""",
    RIGHT.replace("directcopy", "directpred") + "alpha = 0.5": """\
error[unknown-key]: there is no key predictor.alpha (mine.toml)
  predictor "directpred" has name, eps, eps_place, lr_factor, lr_schedule, weight_decay, every, norm
  elsewhere there is predictor.alpha of directset; target.alpha of frozen""",
    RIGHT + "[optimiser]\nlr = 1": f"""\
error[unknown-key]: there is no section [optimiser] (mine.toml)
  {SECTIONS}. Did you mean optimizer?""",
    "momentum = 0.9\n" + RIGHT: f"""\
error[unknown-key]: there is no key momentum (mine.toml)
  {SECTIONS}. Did you mean moments?""",
    "batch = 3\n" + RIGHT: f"""\
error[unknown-key]: there is no key batch (mine.toml)
  {SECTIONS}
  elsewhere there is train.batch; probe.finetune.batch of finetune; probe.linear.batch of linear""",
    RIGHT + "[views.jitter]\nhu = 0.1": """\
error[unknown-key]: there is no key views.jitter.hu (mine.toml)
  known here: brightness, contrast, saturation, hue. Did you mean hue?""",
    RIGHT + "[views.normalize]\nmean = [0, 0, 0]\nstd = [1, 1, 1]\nvar = 1": """\
error[unknown-key]: there is no key views.normalize.var (mine.toml)
  known here: mean, std""",
    # names that do not exist
    RIGHT.replace("directcopy", "directcpy"): f"""\
error[unknown-name]: there is no predictor called "directcpy" (mine.toml)
  known: {listed("predictors")}. Did you mean directcopy?""",
    RIGHT.replace("cifar10", "cifar"): f"""\
error[unknown-name]: there is no data source called "cifar" (mine.toml)
  known: {listed("datasets")}. Did you mean cifar10?""",
    RIGHT + '[target]\nname = "onlin"': """\
error[unknown-name]: there is no target called "onlin" (mine.toml)
  known: distill, ema, filtered, frozen, online, shared. Did you mean online?""",
    RIGHT + '[probe]\nafter = ["knn", "lineal"]': f"""\
error[bad-value]: probe.after[1] is "lineal" (mine.toml)
  expected {quoted("evaluations")}. Did you mean linear?""",
    RIGHT + '[network]\nstem = "smal"': """\
error[bad-value]: network.stem is "smal" (mine.toml)
  expected "imagenet", "small" or "cifar-pad2". Did you mean small?""",
    RIGHT + '[views]\nnormalize = "imagenette"': """\
error[bad-value]: views.normalize is "imagenette" (mine.toml)
  expected "none", "cifar10" or "imagenet". Did you mean imagenet?""",
    # keys that are missing
    '[data]\nsource = "cifar10"': f"""\
error[missing-key]: predictor is missing (mine.toml)
  add [predictor] with name = {quoted("predictors")}""",
    '[data]\n[predictor]\nname = "identity"': f"""\
error[missing-key]: data.source is missing (mine.toml)
  expected {quoted("datasets")}""",
    '[data]\nsource = "cifar10"\n[predictor]\neps = 0.1': f"""\
error[missing-key]: predictor.name is missing (mine.toml)
  expected {quoted("predictors")}""",
    RIGHT.replace("cifar10", "folder"): """\
error[missing-key]: data.root is missing (mine.toml)
  add it: folder of the images; may begin with ~ or $DCP_DATA""",
    # wrong types: nothing is coerced
    RIGHT + 'eps = "0.1"': """\
error[bad-type]: predictor.eps is "0.1" (mine.toml)
  expected a number, e.g. 0.3""",
    RIGHT + "eps = true": """\
error[bad-type]: predictor.eps is true (mine.toml)
  expected a number, e.g. 0.3""",
    RIGHT + "eps = [0.1]": """\
error[bad-type]: predictor.eps is [0.1] (mine.toml)
  expected a number, e.g. 0.3""",
    RIGHT + "eps = { x = 0.1 }": """\
error[bad-type]: predictor.eps is a table (mine.toml)
  expected a number, e.g. 0.3""",
    RIGHT + "[train]\nepochs = 1.5": """\
error[bad-type]: train.epochs is 1.5 (mine.toml)
  expected a whole number, e.g. 100""",
    RIGHT + "[train]\nepochs = 10.0": """\
error[bad-type]: train.epochs is 10.0 (mine.toml)
  expected a whole number, e.g. 100""",
    RIGHT + "[train]\nepochs = true": """\
error[bad-type]: train.epochs is true (mine.toml)
  expected a whole number, e.g. 100""",
    RIGHT + "[train]\ncompile = 1": """\
error[bad-type]: train.compile is 1 (mine.toml)
  expected true or false""",
    RIGHT + '[train]\ncompile = "true"': """\
error[bad-type]: train.compile is "true" (mine.toml)
  expected true or false""",
    RIGHT + "[network]\nbackbone = 18": """\
error[bad-type]: network.backbone is 18 (mine.toml)
  expected a string, e.g. "resnet18\"""",
    RIGHT + '[probe]\nafter = "knn"': """\
error[bad-type]: probe.after is "knn" (mine.toml)
  expected a list, e.g. ["knn", "linear", "spectrum"]""",
    RIGHT + "[views]\ncrop_scale = 0.5": """\
error[bad-type]: views.crop_scale is 0.5 (mine.toml)
  expected a list, e.g. [0.08, 1.0]""",
    RIGHT + "[views]\njitter = 0.4": """\
error[bad-type]: views.jitter is 0.4 (mine.toml)
  expected a table""",
    'run = 3\n' + RIGHT: """\
error[bad-type]: run is 3 (mine.toml)
  expected a table""",
    RIGHT + "[train]\nepochs = 2024-01-01": """\
error[bad-type]: train.epochs is 2024-01-01 (mine.toml)
  expected a whole number, e.g. 100""",
    # impossible values
    RIGHT + "eps = -0.1": """\
error[bad-value]: predictor.eps is -0.1 (mine.toml)
  expected at least 0""",
    RIGHT + "eps = nan": """\
error[bad-value]: predictor.eps is nan (mine.toml)
  expected a finite number""",
    RIGHT + "[optimizer]\nlr = inf": """\
error[bad-value]: optimizer.lr is inf (mine.toml)
  expected a finite number""",
    RIGHT + "[views]\ncrop_ratio = [1, inf]": """\
error[bad-value]: views.crop_ratio[1] is inf (mine.toml)
  expected a finite number""",
    RIGHT + f"[train]\nepochs = {2**63}": f"""\
error[bad-value]: train.epochs is {2**63} (mine.toml)
  expected a number of at most 64 bits""",
    RIGHT + "[optimizer]\nlr = 0": """\
error[bad-value]: optimizer.lr is 0 (mine.toml)
  expected more than 0""",
    RIGHT + "[moments]\nrho = 1": """\
error[bad-value]: moments.rho is 1 (mine.toml)
  expected less than 1""",
    RIGHT + "[views]\nflip = 2": """\
error[bad-value]: views.flip is 2 (mine.toml)
  expected at most 1""",
    RIGHT + "[views]\nflip = [0.5, 2]": """\
error[bad-value]: views.flip[1] is 2 (mine.toml)
  expected at most 1""",
    RIGHT + "[views]\nflip = [0.5]": """\
error[bad-value]: views.flip is [0.5] (mine.toml)
  expected 2 values""",
    RIGHT + "[views]\ncrop_scale = []": """\
error[bad-value]: views.crop_scale is [] (mine.toml)
  expected 2 values""",
    RIGHT + "[views]\ncrop_scale = [0.1, 0.2, 0.3]": """\
error[bad-value]: views.crop_scale is [0.1, 0.2, 0.3] (mine.toml)
  expected 2 values""",
    RIGHT + "[probe.linear]\nl2 = []": """\
error[bad-value]: probe.linear.l2 is [] (mine.toml)
  expected a list of 1 or more""",
    RIGHT + "[views.blur]\nkernel = 4": """\
error[bad-value]: views.blur: kernel must be odd, not 4 (mine.toml)""",
    RIGHT + '[run]\nname = "a/b"': """\
error[bad-value]: run.name is "a/b" (mine.toml)
  expected letters, digits, dots, dashes and underscores, a letter or digit first; at most 200""",
    RIGHT + "[run]\nseed = -1": """\
error[bad-value]: run.seed is -1 (mine.toml)
  expected at least 0""",
    RIGHT + "[run]\nseed = 2147483648": """\
error[bad-value]: run.seed is 2147483648 (mine.toml)
  expected less than 2147483648""",
    # parts that are right alone and wrong together
    RIGHT.replace("directcopy", "mlp") + '[objective]\nname = "iso_cosine"': """\
error[bad-combination]: objective.name = "iso_cosine" needs a symmetric W; predictor.name = "mlp" \
has none (mine.toml)
  take a predictor that is set from F (directcopy, directpred, directset), or cosine""",
    RIGHT + 'every = 5\n[moments]\ntiming = "immediate"': """\
error[bad-combination]: moments.timing = "immediate" sets W at every step, and \
predictor.every = 5 asks for less (mine.toml)
  take timing = "stale" with every > 1, or every = 1""",
    RIGHT + "[train]\nepochs = 3\n[optimizer]\nwarmup_epochs = 4": """\
error[bad-combination]: optimizer.warmup_epochs = 4 is more than train.epochs = 3 (mine.toml)
  at most 3: the rate rises during a part of the training""",
}  # fmt: skip


@pytest.mark.parametrize("text", ONE, ids=[message.splitlines()[0][6:70] for message in ONE.values()])
def test_a_wrong_recipe_is_answered_in_these_words(text: str) -> None:
    assert said(text) == ONE[text]


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


def test_each_problem_names_its_file_and_has_a_slug() -> None:
    for text in ONE:
        for problem in problems(text):
            assert problem.where == "mine.toml"
            assert problem.exit_code == 2
            assert problem.slug in {
                "bad-combination", "bad-type", "bad-value", "missing-key", "unknown-key", "unknown-name",
            }  # fmt: skip


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


def test_a_wrong_string_is_shown_on_one_line() -> None:
    (problem,) = problems(RIGHT + 'eps = "one\\ntwo"')
    assert problem.message == 'predictor.eps is "one\\ntwo"'


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
