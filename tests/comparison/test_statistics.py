"""The statistics against scipy and statsmodels on the same arrays, and against what defines them."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats
from simulation import World
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.meta_analysis import effectsize_smd
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower, TTestPower
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from dcp.comparison.effect_size import MORE_IMAGES, Plan, hedges, plan
from dcp.comparison.intervals import p_of
from dcp.comparison.mcnemar import McNemar
from dcp.comparison.seeds_and_images import Estimate, Part, over_images, over_seeds, over_seeds_and_images
from dcp.comparison.significance import holm

EXACT = {"rel": 1e-9, "abs": 1e-12}
A, B = [0.61, 0.64, 0.60, 0.655], [0.66, 0.71, 0.65, 0.69]
LONGER = [*B, 0.702]


# over seeds


def test_unpaired_seeds_are_welchs_test_and_interval():
    found, theirs = over_seeds(A, LONGER), stats.ttest_ind(LONGER, A, equal_var=False)
    assert found.p == pytest.approx(theirs.pvalue, **EXACT)
    assert found.df == pytest.approx(theirs.df, **EXACT)
    assert found.interval() == pytest.approx(tuple(theirs.confidence_interval(0.95)), **EXACT)
    means = CompareMeans(DescrStatsW(LONGER), DescrStatsW(A))
    assert found.interval() == pytest.approx(means.tconfint_diff(usevar="unequal"), **EXACT)


def test_paired_seeds_are_students_paired_test_and_interval():
    found, theirs = over_seeds(A, B, paired=True), stats.ttest_rel(B, A)
    assert found.p == pytest.approx(theirs.pvalue, **EXACT)
    assert found.interval(0.9) == pytest.approx(tuple(theirs.confidence_interval(0.9)), **EXACT)


def test_values_of_the_same_images_are_students_paired_test_and_interval():
    a, b = (np.random.default_rng(seed).beta(2, 3, 50) for seed in (0, 1))
    found, theirs = over_images(a, b), stats.ttest_rel(b, a)
    assert found.p == pytest.approx(theirs.pvalue, **EXACT)
    assert found.interval() == pytest.approx(tuple(theirs.confidence_interval(0.95)), **EXACT)


def test_one_seed_against_several_is_students_with_the_variance_of_the_several():
    expected = stats.t.interval(0.95, 3, loc=np.mean(B) - 0.60, scale=np.std(B, ddof=1) * (1 + 1 / 4) ** 0.5)
    assert over_seeds([0.60], B).interval() == pytest.approx(expected, **EXACT)
    low, high = over_seeds(B, [0.60]).interval()
    assert (-high, -low) == pytest.approx(expected, **EXACT)


def test_seeds_that_all_agree_have_no_test_also_where_they_agree_up_to_rounding():
    found = over_seeds([0.5, 0.5], [0.75, 0.75])
    assert (found.interval(), found.p, found.spread) == ((0.25, 0.25), None, False)
    assert over_seeds([0.1, 0.2, 0.3], [0.4, 0.5, 0.6], paired=True).p is None


# over seeds and test images


def drawn(seeds: tuple[int, int], n: int = 40, taste: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    return World(seeds=seeds, n=n, taste=taste, m=(0.5, 1.0), seed=0.3).draw(np.random.default_rng(3))


def mean_squares(y: np.ndarray) -> dict[str, float]:
    """Of seeds, images and what is left in [S, n], by statsmodels' analysis of variance of two crossed factors."""
    seed, image = np.indices(y.shape).reshape(2, -1)
    frame = pd.DataFrame({"y": y.ravel().astype(float), "seed": seed, "image": image})
    square = anova_lm(ols("y ~ C(seed) + C(image)", frame).fit())
    return {name: row["sum_sq"] / row["df"] for name, row in square.iterrows()}


def test_paired_variance_is_that_of_an_analysis_of_variance_with_seeds_and_images_at_random():
    a, b = drawn((4, 4))
    found, square = over_seeds_and_images(a, b, paired=True), mean_squares(b.astype(float) - a)
    s_n = a.size
    assert square["C(image)"] > square["Residual"]
    expected = (square["C(seed)"] + square["C(image)"] - square["Residual"]) / s_n
    assert found.variance == pytest.approx(expected, **EXACT)
    assert found.seeds == (pytest.approx((square["C(seed)"] / s_n, 3), **EXACT),)


def test_unpaired_variance_takes_the_residual_of_each_arm_off_the_images():
    a, b = drawn((3, 5))
    found, squares = over_seeds_and_images(a, b), [mean_squares(y) for y in (a, b)]
    seeds = [square["C(seed)"] / y.size for square, y in zip(squares, (a, b), strict=True)]
    twice = [square["Residual"] / y.size for square, y in zip(squares, (a, b), strict=True)]
    images = np.var(b.mean(0) - a.mean(0), ddof=1) / a.shape[1]
    assert [part.variance for part in found.seeds] == pytest.approx(seeds, **EXACT)
    assert found.images.variance == pytest.approx(images - sum(twice), **EXACT)
    df = found.variance**2 / (seeds[0] ** 2 / 2 + seeds[1] ** 2 / 4 + found.images.variance**2 / 39)
    assert found.interval()[1] == pytest.approx(found.value + stats.t.ppf(0.975, df) * found.variance**0.5, **EXACT)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.value) / found.variance**0.5, df), **EXACT)


def test_of_a_single_seed_the_residual_is_taken_to_be_that_of_the_several():
    a, b = drawn((1, 5))
    found, square = over_seeds_and_images(a, b), mean_squares(b)
    images = (np.var(b.mean(0) - a[0], ddof=1) - square["Residual"] * (1 + 1 / 5)) / a.shape[1]
    assert found.images.variance == pytest.approx(max(0, images), **EXACT)
    assert found.seeds == (pytest.approx((square["C(seed)"] / a.shape[1] * (1 + 1 / 5), 4), **EXACT),)


def test_where_the_residual_explains_the_images_what_is_left_is_the_paired_test_over_seeds():
    a = np.zeros((3, 40), dtype=bool)
    b = np.kron(np.eye(3, dtype=bool), np.ones(13, dtype=bool))  # seed s changes images of its own
    b = np.pad(b, ((0, 0), (0, 1)))
    b[0, :5] = False
    found = over_seeds_and_images(a, b, paired=True)
    assert found.images.variance == 0
    assert found.spread
    assert found.p == pytest.approx(stats.ttest_rel(b.mean(1), a.mean(1)).pvalue, **EXACT)


def test_a_single_variance_between_seeds_has_cochran_and_coxs_quantile():
    found = Estimate(1.0, (Part(0.3, 2),), Part(0.1, 99))
    quantile = 0.75 * stats.t.ppf(0.975, 2) + 0.25 * stats.t.ppf(0.975, 99)
    assert found.interval() == pytest.approx((1 - quantile * 0.4**0.5, 1 + quantile * 0.4**0.5), **EXACT)


@pytest.mark.parametrize("seeds", [((0.3, 2),), ((0.3, 2), (0.01, 4)), ((1e-6, 2),), ((1e-9, 9),)])
@pytest.mark.parametrize("images", [0.0, 0.1, 1e-4])
@pytest.mark.parametrize("value", [1.0, -0.1, 1e-5])
def test_p_is_the_level_at_which_the_interval_ends_at_0(seeds, images, value):
    found = Estimate(value, tuple(Part(*part) for part in seeds), Part(images, 999))
    if found.p > 1e-12:  # below it 1 - p is 1 to the last digits
        assert min(map(abs, found.interval(1 - found.p))) == pytest.approx(0, abs=1e-5 * abs(value))
    assert 0 < found.p <= 1
    assert Estimate(-value, found.seeds, found.images).p == pytest.approx(found.p)


def test_no_difference_has_p_1_and_no_images_but_one_have_no_variance():
    assert Estimate(0.0, (Part(0.3, 2),), Part(0.1, 9)).p == 1
    assert over_seeds_and_images(np.array([[True], [False]]), np.array([[True], [True]])) is None


# over test images


@pytest.mark.parametrize(("only_a", "only_b"), [(5, 15), (30, 30), (0, 7), (1, 0), (140, 190)])
def test_mcnemars_test_is_exact(only_a, only_b):
    found, table = McNemar(only_a, only_b, 1000), [[500, only_a], [only_b, 10]]
    assert found.p == pytest.approx(stats.binomtest(only_b, only_a + only_b).pvalue, **EXACT)
    assert found.p == pytest.approx(mcnemar(table, exact=True).pvalue, **EXACT)
    assert found.score(0.0) ** 2 == pytest.approx(mcnemar(table, exact=False, correction=False).statistic, **EXACT)


@pytest.mark.parametrize(("only_a", "only_b", "n"), [(5, 15, 100), (3, 1, 20), (0, 7, 50), (140, 190, 1000)])
def test_tangos_interval_ends_where_the_score_of_the_likeliest_proportions_is_the_quantile(only_a, only_b, n):
    found = McNemar(only_a, only_b, n)

    def unlikely(q: float, d: float) -> float:  # q: the share that only the first has right
        return -sum(special.xlogy([only_a, only_b, n - only_a - only_b], [q, q + d, 1 - 2 * q - d]))

    for end, sign in zip(found.interval(), (1, -1), strict=True):
        bounds = (max(0, -end) + 1e-12, (1 - end) / 2 - 1e-12)
        q = optimize.minimize_scalar(unlikely, bounds=bounds, args=(end,), method="bounded", options={"xatol": 1e-12})
        score = (found.value - end) / ((2 * q.x + end - end**2) / n) ** 0.5
        assert score == pytest.approx(sign * stats.norm.ppf(0.975), abs=1e-4)


def test_two_encoders_that_are_right_on_the_same_images_still_have_an_interval():
    z2 = stats.norm.ppf(0.975) ** 2
    found = McNemar(0, 0, 100)
    assert (found.value, found.p) == (0, 1)
    assert found.interval() == pytest.approx((-z2 / (100 + z2), z2 / (100 + z2)), abs=1e-9)
    assert McNemar(0, 1, 1).interval()[1] == 1
    assert McNemar(1, 0, 1).interval()[0] == -1


def test_tangos_interval_holds_the_truth_as_often_as_it_says_and_swaps_with_the_arms():
    rng, held = np.random.default_rng(0), 0
    for a, b, _ in rng.multinomial(200, [0.05, 0.10, 0.85], size=2000):
        low, high = McNemar(int(a), int(b), 200).interval()
        held += low <= 0.05 <= high
    assert 0.94 <= held / 2000 <= 0.96
    low, high = McNemar(5, 9, 60).interval()
    assert McNemar(9, 5, 60).interval() == pytest.approx((-high, -low), abs=1e-9)


def test_the_p_value_of_an_interval_is_the_normal_tests():
    z, reach = 0.03 / 0.012, stats.norm.ppf(0.975) * 0.012
    assert p_of(0.03, (0.03 - reach, 0.03 + reach)) == pytest.approx(2 * stats.norm.sf(z), **EXACT)
    assert p_of(-0.03, (-0.03 - 9, -0.03 + reach)) == pytest.approx(2 * stats.norm.sf(z), **EXACT)
    assert p_of(0.0, (0.0, 0.0)) is None


# correction, effects, seeds needed


def test_holms_correction_is_statsmodels():
    p = np.random.default_rng(0).random(13) ** 3
    for count in (0, 1, 5, 13):
        expected = multipletests(p[:count], method="holm")[1] if count else []
        assert holm(p[:count].tolist()) == pytest.approx(list(expected), **EXACT)


def test_hedges_g_is_cohens_d_times_the_exact_factor():
    theirs, _ = effectsize_smd(np.mean(LONGER), np.std(LONGER, ddof=1), 5, np.mean(A), np.std(A, ddof=1), 4)
    d = theirs / (1 - 3 / (4 * 9 - 9))  # statsmodels has the approximate factor
    factor = special.gamma(7 / 2) / ((7 / 2) ** 0.5 * special.gamma(6 / 2))
    assert hedges(A, LONGER) == (pytest.approx(d * factor, **EXACT), "Hedges' g")


def test_hedges_g_is_right_on_average_where_cohens_d_is_too_large():
    rng = np.random.default_rng(0)
    g = [hedges([0.0] * 4, rng.normal(3, 2, 4).tolist(), paired=True)[0] for _ in range(2000)]
    assert np.mean(g) == pytest.approx(1.5, abs=0.06)
    assert np.mean(g) / 0.7236 > 2  # Cohen's d of four pairs


def test_two_pairs_and_seeds_without_spread_have_no_effect_size():
    assert hedges([1.0, 2.0], [2.0, 4.0], paired=True) == (None, "")
    assert hedges([1.0, 1.0], [2.0, 2.0]) == (None, "")
    assert hedges([1.0], [2.0, 2.1, 2.2])[0] == pytest.approx(1.1 / 0.1 * special.gamma(1) / special.gamma(0.5))


@pytest.mark.parametrize("d", [0.5, 1.0, 2.0])
def test_the_seeds_needed_are_those_of_statsmodels_where_images_are_given(d):
    unpaired, paired = (Plan(d, spreads, Part(0.0, 1.0), 5) for spreads in ((1.0, 1.0), (1.0,)))
    for found, theirs in ((unpaired, TTestIndPower()), (paired, TTestPower())):
        expected = theirs.solve_power(effect_size=d, alpha=0.05, power=0.8)
        assert found.needed() == (max(3, int(np.ceil(expected))), "")
        assert found.power(7) == pytest.approx(theirs.power(d, 7, 0.05), **EXACT)


def test_so_many_seeds_do_show_the_difference_four_times_in_five():
    needed, _ = Plan(0.03, (0.02**2, 0.01**2), Part(0.004**2, 999.0), 5).needed()
    rng, shown = np.random.default_rng(0), 0
    for _ in range(2000):
        a, b = rng.normal(0, 0.02, needed), rng.normal(0.03 + 0.004 * rng.normal(), 0.01, needed)
        parts = tuple(Part(float(x.var(ddof=1)) / needed, needed - 1) for x in (a, b))
        shown += Estimate(float(b.mean() - a.mean()), parts, Part(0.004**2, 999.0)).p <= 0.05
    assert 0.79 <= shown / 2000 <= 0.87  # one seed less would fall below


def test_seeds_needed_says_why_it_has_no_number():
    assert Plan(0.01, (0.0001,), Part(0.01**2, 999.0), 5).needed() == (None, MORE_IMAGES)
    assert Plan(1e-5, (0.0001,), Part(0.0, 1.0), 5).needed() == (None, "more than 1,000")
    assert plan([0.1, 0.2], [0.2, 0.4], over_seeds([0.1, 0.2], [0.2, 0.4])).needed()[0] is None
    assert plan(A, A, over_seeds(A, A)).needed() == (None, "no difference, or no spread, to plan with")


def test_a_plan_for_one_seed_against_several_lets_both_vary_alike():
    found = plan([0.6], B, over_seeds([0.6], B))
    assert found.spreads == pytest.approx((np.var(B, ddof=1),) * 2, **EXACT)
    assert plan(A, B, over_seeds(A, B, paired=True), paired=True).spreads == pytest.approx(
        (np.var(np.subtract(B, A), ddof=1),), **EXACT
    )
