"""A part of the zoo: some recipes that are broken on purpose, and some healthy ones, trained for real."""

import pytest
import zoo

SOME = (
    "no predictor",
    "views without crop",
    "rate far too high",
    "a memory longer than the training",
    "directcopy",
    "mlp",
)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SOME)
def test_an_animal_of_the_zoo_gets_its_name(name: str) -> None:
    wanted, sets = zoo.expected()[name]
    assert zoo.diagnosed(sets)["name"] == wanted
