"""Checks one claim for many cases in one test, and lists every failing case."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import pytest


_LONGEST: Final = 200  # characters by which a case is told from the others


def check_all(claim: Callable[..., None], cases: Iterable[Any], *, at_least: int) -> None:
    """Fails with a list of all failing cases, or if there are fewer than `at_least` cases.

    A case that is a tuple is handed to the claim as its arguments. Without a least number, a search that finds nothing
    would pass for good news.
    """
    number, broken = 0, []
    for number, case in enumerate(cases, 1):  # noqa: B007 - read below
        arguments = case if isinstance(case, tuple) else (case,)
        try:
            claim(*arguments)
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - told with the others
            name = " ".join(word for each in arguments for word in str(each).split())[:_LONGEST]
            broken.append(f"{name}: {type(error).__name__} {error}")
    told = "\n\n".join(broken)
    assert not broken, f"{len(broken)} of {number} cases:\n\n{told}"
    assert number >= at_least, f"{number} cases are fewer than {at_least}"
