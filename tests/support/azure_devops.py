"""The Azure DevOps emulator: a real server with tokens, faults and work items."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from devcloud.emulators.azure_devops import server
from devcloud.emulators.azure_devops.admin import TokenRequest
from devcloud.emulators.azure_devops.board import Board
from devcloud.emulators.azure_devops.fields import COMPLETED
from devcloud.emulators.azure_devops.tokens import WRITE, TokenUser
from devcloud.emulators.faults import Fault


SOMEBODY = TokenUser("5ee00000-0000-4000-8000-000000000001", "Somebody Else", "somebody@contoso.example", ("contoso",))


@dataclass(frozen=True)
class AzureDevOps:
    emulator: server.AzureDevOps

    @property
    def url(self) -> str:
        return self.emulator.url

    @property
    def board(self) -> Board:
        """The board of Contoso."""
        return self.emulator.workspace.board("contoso")

    def token(self, person: str = "ada", *, lifetime: int | None = None, **claims: Any) -> str:  # noqa: ANN401 - claims
        """A demo person's token; `hidden` and `read_only` are projects, `scp` is its scope."""
        order = TokenRequest(person=person, claims={"scp": WRITE, **claims}, lifetime=lifetime)
        return self.emulator.admin.token(order)

    def set_fault(self, endpoint: str, **fault: Any) -> None:  # noqa: ANN401 - a Fault's fields
        self.emulator.workspace.faults.set({endpoint: Fault(**fault)})

    def clear_faults(self) -> None:
        """Ends all faults, after all late writes are done."""
        self.emulator.workspace.faults.clear()

    def release(self) -> None:
        """Lets waiting requests continue; the faults stay."""
        self.emulator.workspace.faults.release()

    def hits(self, endpoint: str) -> int:
        return self.emulator.workspace.faults.hits().get(endpoint, 0)

    def completed(self, number: int) -> float | None:
        """The Completed Work of an item."""
        hours: float | None = self.board.read(number, SOMEBODY)["fields"].get(COMPLETED)
        return hours

    def field(self, number: int, name: str) -> Any:  # noqa: ANN401 - any JSON
        """A field of an item by its reference name; None without a value."""
        return self.board.read(number, SOMEBODY)["fields"].get(name)

    def set(self, number: int, fields: dict[str, Any]) -> None:
        """Changes fields as a colleague, by reference name."""
        self.board.edit(number, fields, SOMEBODY)

    def updates(self, number: int) -> list[dict[str, Any]]:
        """The whole history of an item."""
        return self.board.updates(number, SOMEBODY, skip=0, top=10**9)

    def revision(self, number: int) -> int:
        revision: int = self.board.read(number, SOMEBODY)["rev"]
        return revision

    def edit(self, number: int, **values: Any) -> None:  # noqa: ANN401 - any JSON
        """Changes an item as a colleague: `Title`, `State` and so on, or `hours`."""
        fields = {COMPLETED if name == "hours" else f"System.{name}": value for name, value in values.items()}
        self.board.edit(number, fields, SOMEBODY)

    def reset(self) -> None:
        self.emulator.workspace.reset()


@contextmanager
def running() -> Iterator[AzureDevOps]:
    with server.running(port=0) as emulator:
        yield AzureDevOps(emulator)
