"""The messages about single fields have one wording, and none is pydantic's."""

import json
import typing
from collections.abc import Callable, Iterator, Sequence

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, core_schema

import function_app  # noqa: F401 - registers every operation
from shared.http.messages import message
from shared.http.operation import OPERATIONS
from shared.http.wire import WireModel


pytestmark = pytest.mark.http_only
VOICE = ("must ", "is ")
UNFIT = [
    *(None, True, 1, -1, 0.5, 1e400, 2**80, [], [1, 1], ["x"] * 500, {}, {"x": 1}),
    *("", " ", "x", "\0", "x\ny", "x" * 5000, "9" * 5000, "12", "2026-11-31", "2026-11-23T10:00:00", "\ud800"),
]


def models(annotation: object) -> Iterator[type[WireModel]]:
    if isinstance(annotation, type) and issubclass(annotation, WireModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models(field.annotation)
    for part in typing.get_args(annotation):
        yield from models(part)


def members(model: type[WireModel], values: Sequence[object]) -> Iterator[dict[str, object]]:
    """For each field of the model an object that has nothing but this field, with each of the values."""
    for name, field in model.model_fields.items():
        yield from ({field.alias or name: value} for value in values)


def errors(validate: Callable[[], object]) -> list[ErrorDetails]:
    try:
        validate()
    except ValidationError as error:
        return error.errors()
    return []


def refusals() -> Iterator[ErrorDetails]:
    for model in BODIES:
        for given in members(model, UNFIT):
            yield from errors(lambda: model.model_validate_json(json.dumps(given), by_alias=True, by_name=False))  # noqa: B023
        yield from errors(lambda: model.model_validate_json("[1]"))  # noqa: B023
    for model in STRINGS:
        for given in members(model, [value for value in UNFIT if isinstance(value, str)]):
            yield from errors(lambda: model.model_validate_strings(given, by_alias=True, by_name=False))  # noqa: B023


BODIES = {model for each in OPERATIONS.values() if not each.for_browser for model in models(each.body)}
STRINGS = {model for each in OPERATIONS.values() for model in models(each.query)}
STRINGS |= {model for each in OPERATIONS.values() if each.for_browser for model in models(each.body)}


def test_every_field_error_has_our_wording():
    found = [(item["type"], message(item)) for item in refusals()]

    assert len(BODIES | STRINGS) > 30
    assert len({kind for kind, _ in found}) > 15
    assert {said for _, said in found if not said.startswith(VOICE)} == set()
    assert {kind for kind, said in found if said == "must be a value that this field accepts"} == set()


@pytest.mark.parametrize(
    ("annotation", "value", "said"),
    [
        ("str:1", "", "must not be blank"),
        ("str:2", "x", "must have at least 2 characters"),
        ("str:max1", "xx", "must have at most 1 character"),
        ("list:1", [], "must have at least 1 item"),
        ("list:max2", ["x"] * 3, "must have at most 2 items"),
        ("int", "x", "must be a whole number"),
        ("int", 1.5, "must be a whole number"),
        ("int:1", 0, "must be at least 1"),
        ("float:9", 10.0, "must be at most 9"),
        ("false", True, "must be false"),
        ("choice", "c", "must be a or b"),
        ("uuid", "x", "must be a UUID, like 3f2b8c1e-5d47-4a90-b6f1-0c9e7d2a4b58"),
    ],
)
def test_a_message_continues_the_name_of_its_field(annotation, value, said):
    schema = {
        "str:1": core_schema.str_schema(min_length=1),
        "str:2": core_schema.str_schema(min_length=2),
        "str:max1": core_schema.str_schema(max_length=1),
        "list:1": core_schema.list_schema(min_length=1),
        "list:max2": core_schema.list_schema(max_length=2),
        "int": core_schema.int_schema(),
        "int:1": core_schema.int_schema(ge=1),
        "float:9": core_schema.float_schema(le=9.0),
        "false": core_schema.literal_schema([False]),
        "choice": core_schema.literal_schema(["a", "b"]),
        "uuid": core_schema.uuid_schema(),
    }[annotation]

    class Model(BaseModel):
        @classmethod
        def __get_pydantic_core_schema__(cls, source: object, handler: object) -> core_schema.CoreSchema:
            return schema

    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Model).validate_python(value)

    assert [message(item) for item in refused.value.errors()] == [said]
