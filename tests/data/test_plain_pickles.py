"""Pickles of plain data, and of nothing else."""

import io
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from dcp.data import plain_pickles


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_numbers_texts_containers_and_arrays_of_bytes_are_read(protocol):
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    content = {"data": values, "labels": [1, 2], "name": "ä", "more": (1.5, None, True), "raw": b"\xff\0"}
    read = plain_pickles.loads(pickle.dumps(content, protocol=protocol))
    assert np.array_equal(read.pop("data").values, values)
    assert read == {key: value for key, value in content.items() if key != "data"}


def test_texts_of_python_2_keep_their_bytes():
    # as cPickle wrote CIFAR: {"d": array of the bytes 0, 255}
    data = b"\x80\x02}U\x01dcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R(K\x01K\x02\x85"
    data += (
        b"cnumpy\ndtype\nU\x02u1K\0K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89U\x02\0\xfftbs."
    )
    assert pickle.loads(data, encoding="latin1")["d"].tolist() == [0, 255]
    assert plain_pickles.loads(data)["d"].values.tolist() == [0, 255]


class Calls:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "content",
    [
        Calls(print, "run"),
        Calls(eval, "1"),
        Calls(getattr, "", "join"),
        OrderedDict(),
        np.float64(1),
        np.zeros(3, np.float32),
        np.array([object, 1], dtype=object),
        np.asfortranarray(np.zeros((2, 2), np.uint8)),
        {1: [np.dtype("f8")]},
        io.StringIO("x"),
        {"a": complex(1, 2)},
    ],
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_everything_else_is_refused_and_nothing_runs(content, protocol, capsys):
    with pytest.raises(ValueError):  # noqa: PT011 - the message is pickle's
        plain_pickles.loads(pickle.dumps(content, protocol=protocol))
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x02",
        b"cos\nsystem\n(S'true'\ntR.",
        b"c_codecs\nencode\n(Vx\nVrot13\ntR.",
        b"cnumpy\nndarray\n)R(K\x01K\x02\x85NI00\nVxx\ntb.",
        b"cnumpy\ndtype\n(VO\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(c_codecs\nencode\nK\0\x85Vb\ntR.",
        b"Pid\n.",
        b"\x82\x01.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    ],
)
def test_streams_made_by_hand_are_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011
        plain_pickles.loads(data)
