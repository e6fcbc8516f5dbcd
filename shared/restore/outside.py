"""The store outside the database, in Table Storage: a mark for each installation, and its erasures and rights."""

import contextlib
import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableClient, TableEntity, TableServiceClient, UpdateMode

from shared.restore.model import Change, ChangeKind, Mark, NotReached, Outside


T = TypeVar("T")
_TABLE: Final = "restore"
_MARK: Final = "mark"
_CHANGE: Final = "change_"
_LIMITS: Final[Mapping[str, Any]] = {"connection_timeout": 2, "read_timeout": 5, "retry_total": 1}
_ROUNDS: Final = 20  # of others who tell their mark at the same moment
_MOST_AT_ONCE: Final = 100  # in one transaction; the service takes no more


class TablesOutside:
    """Entered as the action log is; every method raises NotReached for a service that does not answer."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    @cached_property
    def _table(self) -> TableClient:
        if not self._endpoint.startswith("https://"):
            service = TableServiceClient.from_connection_string(self._endpoint, retry_backoff_factor=0.1)
        else:
            from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - a connection string does without it

            service = TableServiceClient(self._endpoint, credential=DefaultAzureCredential(), retry_backoff_factor=0.1)
        service.create_table_if_not_exists(_TABLE, **_LIMITS)
        return service.get_table_client(_TABLE)

    def read(self, installation: uuid.UUID) -> Outside | None:
        """The newest mark; None where the store has never heard of the installation."""
        with _reaching():
            found = self._found(installation)
        return None if found is None else _outside(found)

    def raise_to(self, installation: uuid.UUID, at: Mark, *, now: dt.datetime) -> None:
        """Puts a mark down; one that is earlier than what is there changes nothing, whoever comes last."""
        entity = TableEntity(
            PartitionKey=installation.hex, RowKey=_MARK, Epoch=str(at.epoch), Mark=str(at.number), SeenAt=now
        )
        with _reaching():
            for _ in range(_ROUNDS):
                found = self._found(installation)
                if found is not None and _outside(found).at >= at:
                    return
                if self._put(entity, found):
                    return
        raise NotReached

    def add(self, installation: uuid.UUID, changes: Sequence[Change]) -> None:
        """Adds changes; those that are there stay as they are."""
        entities = [_entity(installation, each) for each in changes]
        with _reaching():
            for start in range(0, len(entities), _MOST_AT_ONCE):
                some = entities[start : start + _MOST_AT_ONCE]
                self._table.submit_transaction(
                    [("upsert", each, {"mode": UpdateMode.REPLACE}) for each in some], **_LIMITS
                )

    def changes(self, installation: uuid.UUID) -> list[Change]:
        """All there are, the oldest first; what is in force comes after what was lifted in the same instant."""
        asked = {"installation": installation.hex, "first": _CHANGE, "last": f"{_CHANGE}~"}
        wanted = "PartitionKey eq @installation and RowKey ge @first and RowKey lt @last"
        with _reaching():
            found = [_change(each) for each in self._table.query_entities(wanted, parameters=asked, **_LIMITS)]
        return sorted(found, key=lambda each: (each.at, each.in_force))

    def _found(self, installation: uuid.UUID) -> TableEntity | None:
        try:
            return self._table.get_entity(installation.hex, _MARK, **_LIMITS)
        except ResourceNotFoundError:
            return None

    def _put(self, entity: TableEntity, found: TableEntity | None) -> bool:
        """In the place of what was found; False when somebody else was quicker."""
        try:
            if found is None:
                self._table.create_entity(entity, **_LIMITS)
            else:
                self._table.update_entity(
                    entity,
                    mode=UpdateMode.REPLACE,
                    etag=found.metadata["etag"],
                    match_condition=MatchConditions.IfNotModified,
                    **_LIMITS,
                )
        except ResourceExistsError:
            return False
        except HttpResponseError as error:
            if error.status_code != HTTPStatus.PRECONDITION_FAILED:
                raise
            return False
        return True


@contextlib.contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except AzureError as error:
        raise NotReached from error


def _outside(entity: Mapping[str, Any]) -> Outside:
    return Outside(Mark(int(entity["Epoch"]), int(entity["Mark"])), entity["SeenAt"])


def _entity(installation: uuid.UUID, change: Change) -> TableEntity:
    return TableEntity(
        PartitionKey=installation.hex,
        RowKey=f"{_CHANGE}{change.kind.value}_{change.public_id.hex}",
        Kind=change.kind.value,
        Tenant=change.tenant.hex,
        Subject=change.subject.hex,
        InForce=change.in_force,
        At=change.at,
    )


def _change(entity: Mapping[str, Any]) -> Change:
    kind, _, public_id = entity["RowKey"].removeprefix(_CHANGE).partition("_")
    return Change(
        uuid.UUID(public_id),
        ChangeKind(kind),
        uuid.UUID(entity["Tenant"]),
        uuid.UUID(entity["Subject"]),
        entity["InForce"],
        entity["At"],
    )
