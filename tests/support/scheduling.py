"""How tests are shared out among processes: what has one place on the machine is in one process."""

from typing import Final

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped, unused-ignore]


_TOGETHER: Final = "tests/tools/chaos/"  # one run on each database, each in a folder that others look at


class Scheduling(LoadScopeScheduling):  # type: ignore[misc, unused-ignore]
    """By folder where that is needed, else each test for itself.

    Not by xdist's groups: it writes them into the names of tests, where pytest looks no more since 9.2, silently.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _TOGETHER if nodeid.startswith(_TOGETHER) else nodeid
