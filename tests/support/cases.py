"""Checks one claim for many cases in one test, and lists every failing case."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import pytest


_LONGEST: Final = 200  # characters of a case's name


def check_all(claim: Callable[..., None], cases: Iterable[Any], *, at_least: int) -> None:
    """Fails with a list of all failing cases, or if there are fewer than `at_least` cases.

    A tuple is passed as several arguments. `at_least` keeps a search without results from passing.
    """
    number, failing = 0, []
    for number, case in enumerate(cases, 1):  # noqa: B007 - read below
        arguments = case if isinstance(case, tuple) else (case,)
        try:
            claim(*arguments)
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - reported with the others
            name = " ".join(word for each in arguments for word in str(each).split())[:_LONGEST]
            failing.append(f"{name}: {type(error).__name__} {error}")
    report = "\n\n".join(failing)
    assert not failing, f"{len(failing)} of {number} cases:\n\n{report}"
    assert number >= at_least, f"{number} cases are fewer than {at_least}"
