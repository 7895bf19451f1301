"""A part of the zoo: some recipes that are broken on purpose, and some healthy ones, trained for real."""

import pytest
import zoo

CI = ("no predictor", "directcopy")
BY_HAND = [
    pytest.param(name, marks=pytest.mark.byhand)
    for name in ("views without crop", "rate far too high", "a memory longer than the training", "mlp")
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [*(pytest.param(name, marks=pytest.mark.slow) for name in CI), *BY_HAND])
def test_an_animal_of_the_zoo_gets_its_name(name: str) -> None:
    wanted, sets = zoo.expected()[name]
    assert zoo.diagnosed(sets)["name"] == wanted
