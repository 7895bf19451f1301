"""Variants beside what makes no sense with them: refused in one sentence, with a way out."""

import pytest

from dcp.errors import Problems
from dcp.recipe.recipe import Recipe

REFUSED = {
    "tiny/top_k predictor.k=17": ("there are no more", "at most 16"),
    "tiny/partition moments.timing=immediate": ("F of its own, one step old", "stale"),
    "tiny/partition moments.zero_mean=true": ("F of its own, never centred", "zero_mean = false"),
    "tiny/spectral_filter predictor.g=log1 predictor.power=2.0": ("predictor.power has no effect", "poly"),
    "tiny/filtered target.g=log target.power=-1.0": ("target.power has no effect", "poly"),
    "tiny/regression predictor.lr_factor=2.0": ("predictor.lr_factor has no effect", "every = 5"),
    "tiny/top_k predictor.of=C moments.zero_mean=true": ("not centred", "zero_mean = false"),
    "tiny/regression moments.zero_mean=true": ("does not centre", "zero_mean = false"),
    "tiny/vicreg target.name=online": ("both views alike", 'target.name = "shared"'),
    "tiny/minc predictor.name=mlp": ("has F as its predictor", "identity"),
    "tiny/minc target.name=shared": ("stops the gradient itself", "ema"),
    "tiny/peira predictor.name=linear": ("a predictor of its own", "identity"),
    "tiny/peira target.name=online": ("gives one of them no gradient", "shared"),
    "tiny/peira moments.timing=stale": ("with this batch in them", "immediate"),
    "tiny/peira moments.source=sequential": ("of all views at once", "pooled"),
    "tiny/peira moments.zero_mean=true": ("not centred", "zero_mean = false"),
    "tiny/peira positives.name=fastsiam": ("would have no part", "none"),
    "tiny/directcopy optimizer.clip_from=3": ("no effect without optimizer.clip", "clip"),
    "tiny/directcopy moments.rho_schedule=cosine": ("no effect without moments.rho_end", "rho_end"),
    "tiny/directcopy views.local.count=2": ("local views are small ones", "say 16"),
    "tiny/minc moments.timing=immediate": ("F of the steps before", "stale"),
    "tiny/balance predictor.name=identity": ('predictor.name = "identity" is none', "without bias"),
    "tiny/balance predictor.bias=true": ("a bias is none", "without bias"),
    "tiny/straight_through predictor.name=linear": ("no gradient", "set at every step"),
    "tiny/straight_through predictor.every=5": ("no gradient", "set at every step"),
    "tiny/iso_cosine predictor.every=5": ("no useful gradient", "every = 1"),
    "tiny/iso_euclidean target.name=shared": ("stops the gradient itself", "online"),
    "tiny/correlation positives.name=semppl": ("only a part", 'positives.name = "none"'),
    "tiny/semppl target.name=shared": ("take no gradient", "online"),
    "tiny/distill target.teacher=''": ("has no teacher", "a finished run"),
    "tiny/directpred_newton_schulz predictor.eps_place=inside": ("floors each eigenvalue", 'root = "eigh"'),
    "tiny/directpred_newton_schulz predictor.eps=1e-5": ("below the floor of 0.0001", 'root = "eigh"'),
    "tiny/procrustes predictor.every=2 moments.timing=immediate": ("asks for less", "every = 1"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_makes_no_sense_is_refused_in_one_sentence_with_a_way_out(words: str) -> None:
    name, *sets = words.split()
    with pytest.raises(Problems) as caught:
        Recipe.read(name, tuple(sets))
    (problem,) = caught.value.problems
    why, hint = REFUSED[words]
    assert problem.slug == "bad-combination"
    assert why in problem.message
    assert "\n" not in problem.message
    assert hint in str(problem.hint)


@pytest.mark.parametrize(
    "name", ["regression", "minimal_space", "procrustes", "newton_schulz", "orthogonal", "symmetric", "offdiagonal"]
)
def test_a_W_that_need_not_be_symmetric_and_positive_is_refused_by_iso_loss(name: str) -> None:
    with pytest.raises(Problems, match="needs a symmetric W"):
        Recipe.read(f"tiny/{name}", ("objective.name=iso_cosine",))


@pytest.mark.parametrize("name", ["top_k", "partition", "reweighting", "directpred_offset", "directpred_newton_schulz"])
def test_a_W_that_is_symmetric_and_positive_goes_with_iso_loss(name: str) -> None:
    Recipe.read(f"tiny/{name}", ("objective.name=iso_cosine",))


@pytest.mark.parametrize("name", ["regression", "minimal_space", "procrustes", "newton_schulz", "top_k"])
def test_a_predictor_of_this_very_batch_is_allowed(name: str) -> None:
    Recipe.read(f"tiny/{name}", ("moments.timing=immediate", "moments.rho=0.0"))
