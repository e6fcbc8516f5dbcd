"""Checks every response in the tests: its status, error code and headers are those of the contract."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache

from shared.http.openapi import problem_codes
from shared.http.operation import API_VERSION, DEPRECATION, LINK, OPERATIONS, Operation


PROBLEM_JSON = "application/problem+json"


def find_undocumented(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> str | None:
    """The difference of a response from the contract; None if there is none, or the address is of no operation."""
    operation = _operation(method, path.partition("?")[0].removeprefix("/api/"))
    if operation is None:
        return None
    codes = problem_codes(operation)
    if status not in codes and status not in operation.all_answers:
        return f"{operation.id} answers {status}"
    if status in codes and body and headers.get("Content-Type") == PROBLEM_JSON:
        code = json.loads(body)["code"]
        return None if code in codes[status] else f"{operation.id} answers {status} {code}"
    if missing := [name for name in _declared_headers(operation, status) if name not in headers]:
        return f"{operation.id} answers {status} without {', '.join(missing)}"
    return None


def _declared_headers(operation: Operation, status: int) -> Iterator[str]:
    yield "X-Request-Id"
    if operation.is_versioned:
        yield API_VERSION
    if operation.deprecated is not None:
        yield from (DEPRECATION, LINK)
    if status in operation.all_answers:
        yield from operation.all_answers[status].headers


def _operation(method: str, path: str) -> Operation | None:
    return next((each for each, pattern in _patterns() if method in each.methods and pattern.fullmatch(path)), None)


@cache
def _patterns() -> list[tuple[Operation, re.Pattern[str]]]:
    def pattern(path: str) -> re.Pattern[str]:
        return re.compile(re.sub(r"{\w+}", "[^/]+", path))

    return [(each, pattern(each.path)) for each in sorted(OPERATIONS.values(), key=lambda each: "{" in each.path)]
