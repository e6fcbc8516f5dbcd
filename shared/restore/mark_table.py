"""The table outside the database, in Table Storage: the mark of each installation, its erasures and rights."""

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

from shared.restore.model import Mark, MarkTableUnavailable, PrivacyChange, PrivacyChangeKind, StoredMark


T = TypeVar("T")
_TABLE: Final = "restore"
_MARK: Final = "mark"
_CHANGE: Final = "change_"
_LIMITS: Final[Mapping[str, Any]] = {"connection_timeout": 2, "read_timeout": 5, "retry_total": 1}
_ROUNDS: Final = 20  # of concurrent updates
_BATCH: Final = 100  # the maximum of a transaction


class MarkTable:
    """Every method raises MarkTableUnavailable if the service fails. Credentials are those of the action log."""

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

    def read(self, installation: uuid.UUID) -> StoredMark | None:
        """The latest mark; None for an unknown installation."""
        with _translated_errors():
            entity = self._load(installation)
        return None if entity is None else _parse_mark(entity)

    def raise_to(self, installation: uuid.UUID, mark: Mark, *, now: dt.datetime) -> None:
        """Stores a mark, unless the stored one is the same or later."""
        entity = TableEntity(
            PartitionKey=installation.hex, RowKey=_MARK, Epoch=str(mark.epoch), Mark=str(mark.number), SeenAt=now
        )
        with _translated_errors():
            for _ in range(_ROUNDS):
                current = self._load(installation)
                if current is not None and _parse_mark(current).mark >= mark:
                    return
                if self._put(entity, current):
                    return
        raise MarkTableUnavailable

    def add_changes(self, installation: uuid.UUID, changes: Sequence[PrivacyChange]) -> None:
        """Adds changes; a repeated one changes nothing."""
        entities = [_build_entity(installation, change) for change in changes]
        with _translated_errors():
            for start in range(0, len(entities), _BATCH):
                batch = entities[start : start + _BATCH]
                self._table.submit_transaction(
                    [("upsert", each, {"mode": UpdateMode.REPLACE}) for each in batch], **_LIMITS
                )

    def list_changes(self, installation: uuid.UUID) -> list[PrivacyChange]:
        """All changes, the oldest first; of one instant those in force come last."""
        parameters = {"installation": installation.hex, "first": _CHANGE, "last": f"{_CHANGE}~"}
        condition = "PartitionKey eq @installation and RowKey ge @first and RowKey lt @last"
        with _translated_errors():
            changes = [
                _parse_change(each) for each in self._table.query_entities(condition, parameters=parameters, **_LIMITS)
            ]
        return sorted(changes, key=lambda each: (each.at, each.in_force))

    def _load(self, installation: uuid.UUID) -> TableEntity | None:
        try:
            return self._table.get_entity(installation.hex, _MARK, **_LIMITS)
        except ResourceNotFoundError:
            return None

    def _put(self, entity: TableEntity, current: TableEntity | None) -> bool:
        """Replaces the current entity; False if another process has changed it."""
        try:
            if current is None:
                self._table.create_entity(entity, **_LIMITS)
            else:
                self._table.update_entity(
                    entity,
                    mode=UpdateMode.REPLACE,
                    etag=current.metadata["etag"],
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
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except AzureError as error:
        raise MarkTableUnavailable from error


def _parse_mark(entity: Mapping[str, Any]) -> StoredMark:
    return StoredMark(Mark(int(entity["Epoch"]), int(entity["Mark"])), entity["SeenAt"])


def _build_entity(installation: uuid.UUID, change: PrivacyChange) -> TableEntity:
    return TableEntity(
        PartitionKey=installation.hex,
        RowKey=f"{_CHANGE}{change.kind.value}_{change.public_id.hex}",
        Kind=change.kind.value,
        Tenant=change.tenant.hex,
        Subject=change.subject.hex,
        InForce=change.in_force,
        At=change.at,
    )


def _parse_change(entity: Mapping[str, Any]) -> PrivacyChange:
    kind, _, public_id = entity["RowKey"].removeprefix(_CHANGE).partition("_")
    return PrivacyChange(
        uuid.UUID(public_id),
        PrivacyChangeKind(kind),
        uuid.UUID(entity["Tenant"]),
        uuid.UUID(entity["Subject"]),
        entity["InForce"],
        entity["At"],
    )
