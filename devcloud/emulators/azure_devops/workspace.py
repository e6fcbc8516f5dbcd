"""What the emulator is at the moment: its boards, the trouble in force, and how it refuses a sign-in."""

import datetime as dt
from collections.abc import Callable

from devcloud.emulators.admin import OrderRefused
from devcloud.emulators.azure_devops.board import Board
from devcloud.emulators.azure_devops.items import BACKLOGS, ORGANIZATIONS
from devcloud.emulators.faults import Faults


class Workspace:
    def __init__(self, url: str, now: Callable[[], dt.datetime]) -> None:
        self._url, self._now = url, now
        self.faults = Faults()
        self.sign_in_shape = "auto"
        self._boards = self._new_boards()

    def board(self, organization: str) -> Board:
        """Raises OrderRefused for an organisation there is not."""
        if organization.lower() not in self._boards:
            raise OrderRefused(f"there is no organisation {organization!r}")
        return self._boards[organization.lower()]

    def reset(self) -> None:
        """The demo as it begins; whatever was to land late has landed before, and is gone."""
        self.faults.clear()
        self.sign_in_shape = "auto"
        self._boards = self._new_boards()

    def _new_boards(self) -> dict[str, Board]:
        return {name: Board(f"{self._url}/{name}", BACKLOGS.get(name, ()), self._now) for name in ORGANIZATIONS}
