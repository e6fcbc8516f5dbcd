"""Checks that the contract documents the status and error code of every response in the tests."""

import json
import re
from functools import cache

from shared.http.openapi import problem_codes
from shared.http.operation import OPERATIONS, Operation


PROBLEM_JSON = "application/problem+json"


def find_undocumented(method: str, path: str, status: int, content_type: str, body: bytes) -> str | None:
    """The difference of a response from the contract; None if there is none, or the address is of no operation."""
    operation = _operation(method, path.partition("?")[0].removeprefix("/api/"))
    if operation is None:
        return None
    codes = problem_codes(operation)
    if status not in codes and status not in operation.all_answers:
        return f"{operation.id} answers {status}"
    if body and content_type == PROBLEM_JSON and (code := json.loads(body)["code"]) not in codes.get(status, ()):
        return f"{operation.id} answers {status} {code}"
    return None


def _operation(method: str, path: str) -> Operation | None:
    return next((each for each, pattern in _patterns() if method in each.methods and pattern.fullmatch(path)), None)


@cache
def _patterns() -> list[tuple[Operation, re.Pattern[str]]]:
    def pattern(path: str) -> re.Pattern[str]:
        return re.compile(re.sub(r"{\w+}", "[^/]+", path))

    return [(each, pattern(each.path)) for each in sorted(OPERATIONS.values(), key=lambda each: "{" in each.path)]
