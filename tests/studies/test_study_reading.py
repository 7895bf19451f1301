"""From a file with [study] to arms: what lies over what, and what is said when it is wrong."""

import re
import time
from pathlib import Path

import pytest

from dcp.errors import Problems, RequestError
from dcp.recipe.recipe import Recipe
from dcp.studies import study as study_module
from dcp.studies.study import Study, is_study

BASE = 'extends = "tiny/directcopy"\n'


def read(path: Path, text: str, *sets: str, base: str = BASE) -> Study:
    file = path / "mine.toml"
    file.write_text(base + text)
    return study_module.read(str(file), sets)


def refused(path: Path, text: str, *sets: str) -> str:
    with pytest.raises(RequestError) as error:
        read(path, text, *sets)
    return str(error.value)


def test_every_arm_is_trained_at_every_point_of_the_axes_and_runs_are_named_after_both(tmp_path):
    text = """
[study]
seeds = "0-2"
[study.arms]
directcopy = {}
linear = { predictor.name = "linear" }
[study.axes]
optimizer.weight_decay = [0.0, 4e-4]
train.epochs = [1, 2]
"""
    study = read(tmp_path, text)
    assert [arm.name for arm in study.arms][:3] == [
        "directcopy-weight_decay0.0-epochs1",
        "directcopy-weight_decay0.0-epochs2",
        "directcopy-weight_decay0.0004-epochs1",
    ]
    assert len(study.arms) == 8
    assert study.seeds == (0, 1, 2)
    last = study.arms[-1].recipe
    assert last.run.name == "mine-linear-weight_decay0.0004-epochs2"
    assert (last.predictor.name, last.optimizer.weight_decay, last.train.epochs) == ("linear", 4e-4, 2)


def test_an_arm_is_its_recipe_under_the_studys_sections_under_its_own_keys_under_the_axes_under_set(tmp_path):
    text = """
[train]
epochs = 7
batch = 16
[moments]
rho = 0.25
[study.arms.directpred]
extends = "cifar10_directpred"
train.batch = 8
[study.axes]
moments.rho = [0.125]
"""
    (arm,) = read(tmp_path, text, "optimizer.lr=0.5").arms
    recipe = arm.recipe
    assert (recipe.data.source, recipe.predictor.name) == ("cifar10", "directpred")  # of what the arm extends
    assert recipe.train.epochs == 7  # of the study
    assert recipe.train.batch == 8  # of the arm
    assert recipe.moments.rho == 0.125  # of the axis
    assert recipe.optimizer.lr == 0.5  # of --set


def test_dotted_keys_may_be_quoted_or_not(tmp_path):
    plain = read(tmp_path, "[study.axes]\noptimizer.lr = [0.1, 0.2]\n[study.arms.a]\npredictor.eps = 0.5\n")
    quoted = read(tmp_path, '[study.axes]\n"optimizer.lr" = [0.1, 0.2]\n[study.arms]\na = {"predictor.eps" = 0.5}\n')
    assert plain == quoted


def test_a_study_may_extend_a_study_and_overrides_may_change_its_axes(tmp_path):
    (tmp_path / "below.toml").write_text(BASE + "[study]\nseeds = [3]\n[study.axes]\noptimizer.lr = [0.1, 0.2]\n")
    study = read(tmp_path, "[train]\nepochs = 1\n", "study.axes.optimizer.lr=[0.4]", base='extends = "below.toml"\n')
    assert [arm.name for arm in study.arms] == ["lr0.4"]
    assert study.arms[0].recipe.train.epochs == 1
    assert (study.name, study.seeds) == ("mine", (3,))


def test_what_an_arm_extends_is_looked_for_beside_the_file_that_says_so(tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    (folder / "other.toml").write_text(BASE + "[predictor]\neps = 0.7\n")
    (folder / "below.toml").write_text(BASE + '[study.arms]\na = {}\nb = { extends = "other.toml" }\n')
    study = read(tmp_path, "", base='extends = "inner/below.toml"\n')
    assert study.arms[1].recipe.predictor.eps == 0.7


def test_axes_of_whole_tables_and_words_give_their_names_to_the_arms(tmp_path):
    text = '[study.axes]\npredictor = [{ name = "linear" }, { name = "directcopy" }]\ntarget.name = ["online"]\n'
    assert [arm.name for arm in read(tmp_path, text).arms] == ["linear-online", "directcopy-online"]


def test_arms_that_make_no_sense_are_left_out_by_name_or_pattern(tmp_path):
    text = """
[study]
skip = ["linear-eps*"]
[study.arms]
directcopy = {}
linear = { predictor.name = "linear" }
[study.axes]
predictor.eps = [0.1, 0.3]
"""
    assert [arm.name for arm in read(tmp_path, text).arms] == ["directcopy-eps0.1", "directcopy-eps0.3"]
    said = refused(tmp_path, text.replace('skip = ["linear-eps*"]', ""))
    assert "there is no key predictor.eps" in said
    assert "mine.toml, arms linear-eps0.1, linear-eps0.3)" in said


def test_what_is_wrong_in_all_arms_is_told_once_and_what_is_wrong_in_some_with_their_names(tmp_path):
    text = """
[train]
epochz = 3
[study.arms]
a = { optimizer.lr = -1.0 }
b = { predictor = { name = "directcopy", lr_factor = 2.0 } }
c = {}
"""
    with pytest.raises(Problems) as error:
        read(tmp_path, text)
    told = [(one.message, one.where.rpartition("mine.toml")[2]) for one in error.value.problems]
    assert ("there is no key train.epochz", "") in told
    assert ("optimizer.lr is -1.0", ", arm a") in told
    read(tmp_path, text.replace("epochz = 3", "").replace("-1.0", "1.0").replace(", lr_factor = 2.0", ", eps = 0.2"))
    said = refused(tmp_path, text.replace("epochz = 3", "").replace("-1.0", "1.0"))
    assert "predictor.lr_factor has no effect" in said
    assert "arm b" in said


PUBLISHED = (
    "[study.arms]\na = {}\n[study.axes]\ntrain.epochs = [1, 2]\n[[study.published]]\nvalue = 1.0\nsource = 'x'\n"
)
WRONG = {
    "[study]\nseeds = [0]": "neither arms nor axes",
    "[study.axes]\noptimizer.lr = 0.1": "study.axes.optimizer.lr is 0.1",
    "[study.axes]\noptimizer.lr = []": "study.axes.optimizer.lr is []",
    "[study.axes]\noptimizer.lr = [0.1, 0.1]": '2 arms would be called "lr0.1"',
    "[study.axes]\nrun.seed = [0, 1]": "study.axes.run.seed cannot be given",
    "[study.arms]\na = { run.name = 'x' }\nb = {}": "study.arms.a.run.name cannot be given",
    "[study.arms]\na = {}\nb = {}": "the arms a and b are the same recipe",
    "[study]\nsed = 1\n[study.arms]\na = {}": "there is no key study.sed",
    "[study]\nseeds = 'many'\n[study.arms]\na = {}": '"many" names no seeds',
    "[study]\nseeds = [-1]\n[study.arms]\na = {}": "study.seeds",
    "[study]\nseeds = []\n[study.arms]\na = {}": "study.seeds",
    "[study]\nseeds = 1.5\n[study.arms]\na = {}": "study.seeds is 1.5",
    "[study]\nskip = ['b']\n[study.arms]\na = {}": 'no arm is called "b"',
    "[study]\nskip = ['a']\n[study.arms]\na = {}": "no arm is left",
    "[study.arms]\na = 1": "study.arms.a is 1",
    "study = 1": "study is 1",
    "[study.arms]\na = { extends = 'studies/cifar10_small' }": "an arm extends a study",
    "[study.arms]\na = { extends = 'nowhere' }": "there is no such recipe",
    "[study.arms]\n'no/name' = {}": 'study.arms.no/name is "no/name"',
    "[study.arms]\n'' = {}\na = {predictor.eps = 0.7}": 'study.arms. is ""',
    "[study.arms]\n'..' = {}": 'study.arms... is ".."',
    "[study.arms]\n'-a' = {}": 'study.arms.-a is "-a"',
    "[study.axes]\nrun.tracker = ['//', 'none']": 'the arm "-" has a name that no folder of a run can have',
    "[study.axes]\nrun.tracker = ['..', 'none']": 'the arm ".." has a name that no folder of a run can have',
    f"[study.arms]\n{'a' * 197} = {{}}": "name of study and arm have at most 200 characters together",
    "[study.axes]\nstudy.seeds = [0, 1]": "study.axes.study.seeds cannot be given",
    "[study.axes]\ntheory.experiment = ['threshold']": "study.axes.theory.experiment cannot be given",
    "[study.arms]\na = { study.seeds = [1] }": "study.arms.a.study.seeds cannot be given",
    "[study.arms]\na = {}\n[[study.published]]\nscore = 'knn.top1'\nvalue = 1.0\nsource = ''": (
        "expected text of 1 or more characters"
    ),
    "[study.axes]\nviews.flip = [nan]": "a finite number",
    PUBLISHED + "arm = 'aa'\nscore = 'knn.top1'": 'there is no arm called "aa"',
    PUBLISHED + "arm = 'a'\nscore = 'top1'": 'study.published[0].score is "top1"',
    PUBLISHED + "score = 'knn.top1'\nat = { train.epoch = 1 }": "study.published[0].at.train.epoch is no axis",
    PUBLISHED + "arm = 'a'\nscore = 'knn.top1'\nvalues = 2": "there is no key study.published[0].values",
    PUBLISHED + "arm = 'a'": "study.published[0].score is missing",
}


@pytest.mark.parametrize("text", WRONG, ids=[words[:60] for words in WRONG.values()])
def test_a_wrong_study_is_answered_in_words(text, tmp_path):
    said = refused(tmp_path, text + "\n")
    assert WRONG[text] in said
    assert "mine.toml" in said or "cifar10_small.toml" in said


def test_all_that_is_wrong_in_the_section_is_told_at_once(tmp_path):
    published = "[[study.published]]\nvalue = 1.0\nsource = 'x'\nscore = 'top1'\n"
    text = f"[study]\nseeds = 'many'\n{published}[study.arms]\n'-a' = {{}}\n[study.axes]\na.b = 1\na.c = []\n"
    with pytest.raises(Problems) as error:
        read(tmp_path, text)
    keys = {re.split("[: ]", problem.message)[0] for problem in error.value.problems}
    assert keys == {"study.seeds", "study.arms.-a", "study.axes.a.b", "study.axes.a.c", "study.published[0].score"}


def test_more_arms_than_anyone_trains_are_counted_and_none_of_them_is_made(tmp_path):
    begun = time.monotonic()
    text = f"[study.axes]\noptimizer.lr = {[i / 1e5 for i in range(1, 2000)]}\npredictor.eps = {list(range(1, 2001))}\n"
    said = refused(tmp_path, text + "[study.arms]\na = {}\nb = {}\n")
    assert "error[bad-value]: the study has 7,996,000 arms" in said
    assert "at most 10,000" in said
    assert time.monotonic() - begun < 10  # to make them would take hours


def test_a_published_number_stands_beside_the_one_arm_whose_point_it_names(tmp_path):
    entry = "arm = 'a'\nscore = 'knn.top1'\nat = { train.epochs = 2 }\n"
    study = read(tmp_path, PUBLISHED + entry)
    assert [(one.arm, one.value) for one in study.published] == [("a-epochs2", 1.0)]
    assert not read(tmp_path, PUBLISHED + entry, "study.axes.train.epochs=[1]").published
    assert not read(tmp_path, PUBLISHED + entry.replace("at =", "# at =")).published


def test_an_override_of_an_axis_is_refused_with_the_way_out(tmp_path):
    said = refused(tmp_path, "[study.axes]\noptimizer.lr = [0.1, 0.2]\n", "optimizer.lr=1.0")
    assert "optimizer.lr is an axis of the study" in said
    assert "study.axes.optimizer.lr=[...]" in said


def test_an_override_that_makes_two_arms_one_is_refused(tmp_path):
    text = "[study.arms]\na = { predictor.eps = 0.1 }\nb = {}\n"
    assert "the same recipe" in refused(tmp_path, text, "predictor.eps=0.5")


def test_a_study_is_no_recipe_of_one_run(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(BASE + "[study.arms]\na = {}\n")
    assert is_study(str(file))
    assert not is_study("tiny/directcopy")
    with pytest.raises(RequestError, match="this is a study"):
        Recipe.read(str(file))


def test_written_out_in_full_it_is_the_same_study(tmp_path):
    text = PUBLISHED + "arm = 'a'\nscore = 'knn.top1'\nat = { train.epochs = 2 }\n"
    study = read(tmp_path, text)
    assert read(tmp_path, study.toml(), base="") == study
    assert study.published
