"""The state of the emulator: boards, faults, and the response to a refused sign-in."""

import datetime as dt
from collections.abc import Callable

from devcloud.emulators.admin import AdminCommandError
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
        """Raises AdminCommandError for an unknown organization."""
        if organization.lower() not in self._boards:
            raise AdminCommandError(f"unknown organization {organization!r}")
        return self._boards[organization.lower()]

    def reset(self) -> None:
        """Restores the start of the demo, after all late writes."""
        self.faults.clear()
        self.sign_in_shape = "auto"
        self._boards = self._new_boards()

    def _new_boards(self) -> dict[str, Board]:
        return {name: Board(f"{self._url}/{name}", BACKLOGS.get(name, ()), self._now) for name in ORGANIZATIONS}
