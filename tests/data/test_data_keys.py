import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from dcp import catalogue
from dcp.data.datasets import base, cifar10, folder, imagenet, imagenette, stl10
from dcp.data.datasets.base import data_root
from dcp.errors import RequestError

SOURCES = ("cifar10", "cifar100", "folder", "imagenet", "imagenette", "stl10")

# where data lie


def test_a_given_root_wins_over_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("DCP_DATA", "/elsewhere")
    assert data_root(cifar10.Config(root=str(tmp_path))) == tmp_path
    assert data_root(cifar10.Config()) == Path("/elsewhere")


@pytest.mark.parametrize("spelling", ["$DCP_DATA/mine", "${DCP_DATA}/mine"])
def test_a_root_below_the_data_folder_works_with_and_without_the_variable(monkeypatch, spelling):
    config = folder.Config(root=spelling)
    monkeypatch.setenv("DCP_DATA", "/data")
    assert data_root(config) == Path("/data/mine")
    monkeypatch.delenv("DCP_DATA")
    assert data_root(config) == data_root(cifar10.Config()) / "mine"


def test_home_and_other_variables_are_expanded(monkeypatch):
    monkeypatch.setenv("SCRATCH", "/scratch")
    assert data_root(folder.Config(root="$SCRATCH/x")) == Path("/scratch/x")
    assert data_root(folder.Config(root="~/x")) == Path.home() / "x"


@pytest.mark.parametrize(("config", "slug"), [(cifar10.Config, "missing-data"), (folder.Config, "missing-folder")])
def test_the_home_of_a_user_who_is_not_there_is_a_place_without_data(monkeypatch, config, slug):
    monkeypatch.setenv("DCP_DATA", "~nobody-of-this-name/q")
    for root, where in (("~nobody-of-this-name/y", "data.root"), ("$DCP_DATA/y", "DCP_DATA")):
        with pytest.raises(RequestError, match="nobody-of-this-name") as caught:
            base.load(config(root=root), "pretrain")
        assert (caught.value.slug, caught.value.where) == (slug, where)


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/cache"}, Path("/cache/dcp")),
        ("linux", {}, Path.home() / ".cache" / "dcp"),
        ("darwin", {}, Path.home() / "Library" / "Caches" / "dcp"),
        ("win32", {"LOCALAPPDATA": "/local"}, Path("/local/dcp")),
    ],
)
def test_without_a_root_the_platforms_cache_folder_is_used(monkeypatch, platform, variable, expected):
    for name in ("DCP_DATA", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert data_root(cifar10.Config()) == expected


# the keys


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_is_chosen_by_its_name_and_documents_every_key(source):
    adapter = TypeAdapter(catalogue.union("datasets", key="source"))
    config = adapter.validate_python({"source": source, "root": "/data"})
    assert type(config) is catalogue.load("datasets", source).Config
    assert all(field.description for field in type(config).model_fields.values())
    assert {"source", "root", "download", "limit", "image_size"} <= set(type(config).model_fields)


def test_a_folder_needs_a_root():
    with pytest.raises(ValidationError, match="root"):
        folder.Config()


@pytest.mark.parametrize("keys", [{"limit": 0}, {"limit": 1.0}, {"image_size": 7}, {"download": 1}, {"size": "x"}])
def test_impossible_values_are_refused(keys):
    with pytest.raises(ValidationError):
        imagenette.Config(**keys)


def test_the_size_of_the_views_is_the_sources_own_unless_given():
    configs = (
        cifar10.Config(), stl10.Config(), imagenette.Config(), imagenette.Config(size="full"),
        imagenet.Config(), folder.Config(root="x"), cifar10.Config(image_size=64),
        imagenette.Config(image_size=96),
    )  # fmt: skip
    assert [config.view_size for config in configs] == [32, 96, 128, 224, 224, 128, 64, 96]
