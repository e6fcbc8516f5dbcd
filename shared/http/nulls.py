"""Finds null in a body where the contract has none: fields without a value are left out."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic.fields import FieldInfo

from shared.errors import FieldError
from shared.http.wire import WireModel, allow_null


def null_errors(model: type[WireModel], value: Any, pointer: str = "") -> Iterator[FieldError]:  # noqa: ANN401 - any JSON
    """An error for each optional field that is null, except nullable ones. `pointer` is the model's place."""
    if not isinstance(value, dict):
        return
    for field in model.model_fields.values():
        given, place = value.get(field.alias, ...), f"{pointer}/{field.alias}"
        if given is None and type(None) in get_args(field.annotation) and not _is_nullable(field):
            yield FieldError(place, "must not be null; leave the field out")
        for nested in _models(field.annotation):
            if isinstance(given, list):
                for number, each in enumerate(given):
                    yield from null_errors(nested, each, f"{place}/{number}")
            else:
                yield from null_errors(nested, given, place)


def _is_nullable(field: FieldInfo) -> bool:
    return field.json_schema_extra is allow_null


def _models(annotation: Any) -> Iterator[type[WireModel]]:  # noqa: ANN401 - any type
    """The models in a type, such as in a list or beside None."""
    if isinstance(annotation, type) and issubclass(annotation, WireModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
