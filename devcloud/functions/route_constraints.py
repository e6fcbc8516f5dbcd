"""The constraints of route templates (`int`, `guid`, `length(2,5)` ...) as werkzeug converters."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from werkzeug.routing.converters import BaseConverter, ValidationError


Check = Callable[[str], bool]

CONSTRAINT = re.compile(r":(?P<kind>\w+)(?:\((?P<argument>.*?)\)(?=:|\Z))?")
GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
INT_BITS, LONG_BITS = 31, 63


class UnsupportedConstraint(Exception):
    """A route template with a constraint that the local host does not support."""


def converter(constraints: str, *, catch_all: bool) -> type[BaseConverter]:
    """The werkzeug converter of a segment, or of the rest of the path, with all constraints."""
    checks = _checks(constraints)

    class Segment(BaseConverter):
        regex = ".*" if catch_all else "[^/]+"
        part_isolating = not catch_all

        def to_python(self, value: str) -> str:
            if not all(check(value) for check in checks):
                raise ValidationError
            return value

    return Segment


def _checks(constraints: str) -> list[Check]:
    found = list(CONSTRAINT.finditer(constraints))
    if "".join(match[0] for match in found) != constraints:
        raise UnsupportedConstraint(f"cannot read the constraint {constraints.lstrip(':')!r}")
    return [_check(match["kind"], match["argument"]) for match in found]


def _check(kind: str, argument: str | None) -> Check:
    if argument is None and kind in PLAIN:
        return PLAIN[kind]
    if argument is not None and kind in WITH_ARGUMENT:
        try:
            return WITH_ARGUMENT[kind](argument)
        except (ValueError, TypeError) as error:
            raise UnsupportedConstraint(f"the constraint {kind}({argument}) is not valid") from error
    written = kind if argument is None else f"{kind}({argument})"
    raise UnsupportedConstraint(f"the constraint {written!r} is not supported by the local host")


def _matches(pattern: str) -> Check:
    compiled = re.compile(pattern, re.IGNORECASE | re.ASCII)
    return lambda value: compiled.fullmatch(value) is not None


def _integer(bits: int) -> Check:
    def check(value: str) -> bool:
        text = value.strip()
        digits = re.fullmatch(r"[+-]?[0-9]+", text) is not None
        return digits and -(1 << bits) <= int(text) < 1 << bits

    return check


def _decimal(value: str) -> bool:
    try:
        return (
            re.fullmatch(r"\s*[+-]?[\d,]*\.?\d*\s*", value) is not None
            and Decimal(value.strip().replace(",", "")).is_finite()
        )
    except InvalidOperation:
        return False


def _in_range(low: int | None, high: int | None) -> Check:
    is_long = _integer(LONG_BITS)
    return lambda value: is_long(value) and (low is None or int(value) >= low) and (high is None or int(value) <= high)


def _length(low: int, high: int | None) -> Check:
    return lambda value: low <= len(value) and (high is None or len(value) <= high)


def _numbers(argument: str) -> list[int]:
    return [int(number) for number in argument.split(",")]


def _regex(argument: str) -> Check:
    # Azure searches the pattern, ignoring case
    compiled = re.compile(argument, re.IGNORECASE)
    return lambda value: compiled.search(value) is not None


PLAIN: dict[str, Check] = {
    "int": _integer(INT_BITS),
    "long": _integer(LONG_BITS),
    "bool": _matches(r"\s*(?:true|false)\s*"),
    "guid": _matches(rf"{GUID}|[0-9a-f]{{32}}|\{{{GUID}\}}|\({GUID}\)"),
    "alpha": _matches(r"[a-z]*"),
    "decimal": _decimal,
    "double": _matches(r"\s*[+-]?(?:[\d,]+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*"),
    "float": _matches(r"\s*[+-]?(?:[\d,]+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*"),
    "required": bool,
}
WITH_ARGUMENT: dict[str, Callable[[str], Check]] = {
    "length": lambda argument: _length(_numbers(argument)[0], _numbers(argument)[-1]),
    "minlength": lambda argument: _length(int(argument), None),
    "maxlength": lambda argument: _length(0, int(argument)),
    "min": lambda argument: _in_range(int(argument), None),
    "max": lambda argument: _in_range(None, int(argument)),
    "range": lambda argument: _in_range(*_numbers(argument)),
    "regex": _regex,
}
