from collections.abc import Callable
from pathlib import Path

import pytest

import dcp
from dcp.errors import RequestError


@pytest.mark.parametrize(
    ("call", "where"),
    [
        (lambda run: dcp.compare(None), "runs_"),
        (lambda run: dcp.compare([3, run]), "runs_"),
        (lambda run: dcp.compare([run, run], runs=3), "runs"),
        (lambda run: dcp.probe(run, None), "evaluations"),
        (lambda run: dcp.probe(run, [3]), "evaluations"),
        (lambda run: dcp.probe(run, ["knn"], sets=[3]), "sets"),
        (lambda run: dcp.probe(run, ["knn"], runs=None), "runs"),
        (lambda run: dcp.pretrain("tiny/directcopy", sets=None), "sets"),
        (lambda run: dcp.pretrain("tiny/directcopy", runs=3), "runs"),
        (lambda run: dcp.export(run, "timm", 3), "out"),
    ],
)
def test_an_argument_of_another_type_is_an_error_in_words(trained: Path, call: Callable, where: str) -> None:
    with pytest.raises(RequestError) as error:
        call(trained)
    assert (error.value.slug, error.value.where) == ("bad-type", where)


def test_a_single_text_stands_for_a_list_of_it(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as error:
        dcp.compare("nothing", runs=tmp_path)
    assert '"nothing"' in error.value.message
    with pytest.raises(RequestError, match="no section \\[no\\]"):
        dcp.pretrain("tiny/directcopy", sets="no.such=1", runs=tmp_path)
