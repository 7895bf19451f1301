"""Errors cross processes whole."""

import pickle

import pytest

from dcp.errors import DcpError, Problems, RequestError


def kinds(base: type[DcpError]) -> list[type[DcpError]]:
    return [base, *(kind for direct in base.__subclasses__() for kind in kinds(direct))]


@pytest.mark.parametrize("kind", [kind for kind in kinds(DcpError) if kind is not Problems])
def test_an_error_that_was_pickled_says_the_same(kind: type[DcpError]) -> None:
    error = kind("no such thing", slug="no-thing", where="here", hint="another\nor none")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (kind, str(error))


def test_several_problems_stay_several() -> None:
    error = Problems([RequestError(f"problem {i}", slug="bad-value", where=f"key {i}") for i in (1, 2)])
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
