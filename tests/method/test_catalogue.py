"""What every predictor, objective and target in the tree has: a name, words, bounds."""

import typing

import pydantic
import pytest
from small import OBJECTIVES, POSITIVES, PREDICTORS, TARGETS

from dcp import catalogue

FOLDERS = {"predictors": PREDICTORS, "objectives": OBJECTIVES, "targets": TARGETS, "positives": POSITIVES}
EVERY = [(folder, name) for folder in FOLDERS for name in catalogue.names(folder)]
every = pytest.mark.parametrize(("folder", "name"), EVERY, ids=[f"{f}-{n}" for f, n in EVERY])


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_of_the_folder_is_a_variant(folder: str):
    files = {path.stem for path in catalogue.folder(folder).glob("*.py") if not path.stem.startswith("_")}
    assert {"base", *FOLDERS[folder]} == files
    assert len(files) > 3


@every
def test_the_name_in_the_recipe_is_the_name_of_the_file(folder: str, name: str):
    config = catalogue.load(folder, name).Config
    assert typing.get_args(config.model_fields["name"].annotation) == (name,)
    assert config().name == name


@every
def test_every_key_has_a_meaning_in_one_line(folder: str, name: str):
    fields = catalogue.load(folder, name).Config.model_fields
    for key, field in fields.items():
        if key != "name":
            assert field.description, f"{folder}/{name}: {key} has no description"
            assert "\n" not in field.description
            assert len(field.description) > 10


@every
def test_unknown_keys_and_values_of_another_type_are_refused(folder: str, name: str):
    config = catalogue.load(folder, name).Config
    with pytest.raises(pydantic.ValidationError, match="extra_forbidden"):
        config(no_such_key=1)
    numbers = [key for key, field in config.model_fields.items() if field.annotation is float]
    for key in numbers:
        with pytest.raises(pydantic.ValidationError, match="float_type"):
            config(**{key: "0.1"})


@every
def test_a_config_cannot_be_changed_after_it_was_made(folder: str, name: str):
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        catalogue.load(folder, name).Config().name = "other"


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_table_finds_its_config_by_name(folder: str):
    adapter = pydantic.TypeAdapter(catalogue.union(folder))
    for name in catalogue.names(folder):
        assert type(adapter.validate_python({"name": name})) is catalogue.load(folder, name).Config
    with pytest.raises(pydantic.ValidationError, match="union_tag_invalid"):
        adapter.validate_python({"name": "no such variant"})
