"""The messages about single fields, for every kind of error that pydantic reports."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic_core import ErrorDetails


Context = Mapping[str, Any]
_OTHER: Final = "must be a value that this field accepts"


def _fixed(text: str) -> Callable[[Context], str]:
    return lambda _: text


def _template(template: str) -> Callable[[Context], str]:
    return lambda context: template.format_map({name: _plain(value) for name, value in context.items()})


def _plain(value: object) -> object:
    """Whole numbers without a fraction."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _characters(context: Context) -> str:
    least = context["min_length"]
    return "must not be blank" if least == 1 else f"must have at least {least} characters"


def _at_most_characters(context: Context) -> str:
    return f"must have at most {_counted(context['max_length'], 'character')}"


def _at_least_items(context: Context) -> str:
    return f"must have at least {_counted(context['min_length'], 'item')}"


def _at_most_items(context: Context) -> str:
    return f"must have at most {_counted(context['max_length'], 'item')}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _not_json(context: Context) -> str:
    return f"must be JSON; {context['error']}"


def _one_of(context: Context) -> str:
    """Pydantic lists the values in Python's spelling, with "or" before the last."""
    values = context["expected"].replace("'", "")
    return f"must be {values.lower() if values in {'True', 'False'} else values}"


_TEXT: Final = _fixed("must be text")
_YES_OR_NO: Final = _fixed("must be true or false")
_WHOLE: Final = _fixed("must be a whole number")
_NUMBER: Final = _fixed("must be a number")
_DECIMAL: Final = _fixed("must be a decimal number")
_UUID: Final = _fixed("must be a UUID, like 3f2b8c1e-5d47-4a90-b6f1-0c9e7d2a4b58")
_OBJECT: Final = _fixed("must be an object")
_LIST: Final = _fixed("must be a list")
_DATE: Final = _fixed("must be a date, like 2026-11-23")
_INSTANT: Final = _fixed("must be a time with its offset from UTC, like 2026-11-23T09:30:00Z")
_URL: Final = _fixed("must be an address, like https://example.org")
_MESSAGES: Final[dict[str, Callable[[Context], str]]] = {
    "missing": _fixed("is required"),
    "extra_forbidden": _fixed("is not a field of this request"),
    "invalid_key": _fixed("must have text as a key"),
    "json_invalid": _not_json,
    "json_type": _fixed("must be JSON"),
    "recursion_loop": _fixed("must not contain itself"),
    "recursion_depth_exceeded": _fixed("must not be nested so deeply"),
    "none_required": _fixed("must be null"),
    "string_type": _TEXT,
    "string_unicode": _fixed("must be text in UTF-8"),
    "string_not_ascii": _fixed("must be ASCII"),
    "string_too_short": _characters,
    "string_too_long": _at_most_characters,
    "string_pattern_mismatch": _template("must have the form {pattern}"),
    "enum": _one_of,
    "literal_error": _one_of,
    "bool_type": _YES_OR_NO,
    "bool_parsing": _YES_OR_NO,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": _fixed("must not have so many digits"),
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "decimal_type": _DECIMAL,
    "decimal_parsing": _DECIMAL,
    "decimal_max_digits": _template("must have at most {max_digits} digits"),
    "decimal_max_places": _template("must have at most {decimal_places} decimal places"),
    "decimal_whole_digits": _template("must have at most {whole_digits} digits before the decimal point"),
    "greater_than": _template("must be more than {gt}"),
    "greater_than_equal": _template("must be at least {ge}"),
    "less_than": _template("must be less than {lt}"),
    "less_than_equal": _template("must be at most {le}"),
    "multiple_of": _template("must be a multiple of {multiple_of}"),
    "too_short": _at_least_items,
    "too_long": _at_most_items,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "iterable_type": _LIST,
    "dict_type": _OBJECT,
    "mapping_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "uuid_type": _UUID,
    "uuid_parsing": _UUID,
    "uuid_version": _template("must be a UUID of version {expected_version}"),
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "datetime_type": _INSTANT,
    "datetime_parsing": _INSTANT,
    "datetime_object_invalid": _INSTANT,
    "datetime_from_date_parsing": _INSTANT,
    "timezone_naive": _INSTANT,
    "timezone_aware": _INSTANT,
    "url_type": _URL,
    "url_parsing": _URL,
    "url_syntax_violation": _URL,
    "url_scheme": _template("must be an address that begins with {expected_schemes}"),
    "url_too_long": _template("must have at most {max_length} characters"),
}


def message(item: ErrorDetails) -> str:
    """The error of one field, to be read after its name: "must be …" or "is …"."""
    kind, context = item["type"], item.get("ctx", {})
    if kind in {"value_error", "assertion_error"}:
        return str(context["error"])
    return _MESSAGES.get(kind, _fixed(_OTHER))(context)
