"""A lane: runs the tests of one mutant after another in one process, and says which test noticed."""

from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test


SURVIVED: Final = 0  # as mutmut numbers what became of a mutant
KILLED: Final = 1


@dataclass(frozen=True)
class Asked:
    """A mutant by its name, and the tests to run, in their order."""

    mutant: str
    tests: Sequence[str]


@dataclass(frozen=True)
class Said:
    """What became of a mutant, the test that noticed, and whether that test passes without the mutant."""

    code: int
    killer: str | None
    is_clean: bool


def lane(asking: Connection, unused: Connection, session: pytest.Session) -> None:
    """Answers until nobody asks any more. Servers and database come up without a mutant, for the first test."""
    unused.close()
    runner = _Tests(session)
    is_first = True
    while True:
        try:
            asked: Asked = asking.recv()
        except EOFError:
            return
        if is_first:
            runner.first_failing(Asked("", asked.tests[:1]))
            is_first = False
        killer = runner.first_failing(asked)
        is_clean = killer is None or runner.first_failing(Asked("", [killer])) is None
        asking.send(Said(SURVIVED if killer is None else KILLED, killer, is_clean))


class _Tests:
    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._items = {item.nodeid: item for item in session.items}

    def first_failing(self, asked: Asked) -> str | None:
        set_mutant_under_test(asked.mutant)
        names = [name for name in asked.tests if name in self._items]
        for name, following in zip(names, [*names[1:], None], strict=True):
            item = self._items[name]
            self._session.testsfailed = 0
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=self._after(name, following))
            if self._session.testsfailed:
                return name
        return None

    def _after(self, name: str, following: str | None) -> pytest.Item | None:
        """Some test that pytest is told comes next, since without one it would end what the session shares."""
        other = following or next((each for each in self._items if each != name), None)
        return None if other is None else self._items[other]
