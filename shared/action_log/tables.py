"""The action log in Azure Table Storage: a table for each month, a partition for each tenant, the newest row first."""

import contextlib
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableClient, TableEntity, TableServiceClient, UpdateMode

from shared.action_log.model import Action, NotKept, month_of
from shared.errors import Unavailable


_MOST_AT_ONCE: Final = 100  # in one transaction; the service takes no more
_MOST_AT_A_READ: Final = 1000
_TABLE: Final = re.compile(r"\Aactions\d{6}\Z")
_KEY: Final = re.compile(r"\A[0-9a-f_]{1,64}\Z")  # a slash, say, would make a row that nothing can address
# A write is tried twice within what a request may wait; somebody is waiting for what is read.
_WRITE: Final[Mapping[str, Any]] = {"connection_timeout": 0.9, "read_timeout": 0.9, "retry_total": 1}
_READ: Final[Mapping[str, Any]] = {"connection_timeout": 2, "read_timeout": 10, "retry_total": 1}
_BACKOFF: Final = 0.1


class TablesActionLog:
    """Entered by an https endpoint with the app's managed identity, or by a connection string; when first used."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    @cached_property
    def _service(self) -> TableServiceClient:
        if not self._endpoint.startswith("https://"):
            return TableServiceClient.from_connection_string(self._endpoint, retry_backoff_factor=_BACKOFF)
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - a connection string does without it

        return TableServiceClient(self._endpoint, credential=DefaultAzureCredential(), retry_backoff_factor=_BACKOFF)

    def append(self, actions: Sequence[Action]) -> None:
        left = len(actions)
        try:
            for table, entities in _chunks(actions):
                self._write(self._service.get_table_client(table), entities)
                left -= len(entities)
        except AzureError as error:
            raise NotKept(left, "table_storage") from error

    def page(self, tenant_id: int, *, user_id: int | None, after: str | None, most: int) -> list[Action]:
        wanted, parameters = _filter(tenant_id, user_id, after)
        try:
            found = itertools.chain.from_iterable(
                self._rows(table, wanted, parameters, most)
                for table in self._tables(None if after is None else _table_of(after))
            )
            return [_action(tenant_id, entity) for entity in itertools.islice(found, most)]
        except AzureError as error:
            raise Unavailable("The action log cannot be read right now. Try again in a moment.") from error

    def rewrite(self, tenant_id: int, page: Callable[[int, str], str]) -> int:
        """In transactions of up to 100 rows; what one has done stays done when the next fails."""

        def changed(entity: Mapping[str, Any]) -> TableEntity | None:
            new = page(int(entity["UserId"]), entity["Page"])
            return None if new == entity["Page"] else TableEntity({**_key(entity), "Page": new})

        return self._each(tenant_id, changed, lambda entity: ("update", entity, {"mode": UpdateMode.MERGE}))

    def forget(self, tenant_id: int) -> int:
        return self._each(tenant_id, lambda entity: TableEntity(_key(entity)), lambda entity: ("delete", entity))

    def _each(
        self,
        tenant_id: int,
        wanted: Callable[[Mapping[str, Any]], TableEntity | None],
        operation: Callable[[TableEntity], Any],
    ) -> int:
        done = 0
        condition, parameters = _filter(tenant_id, None, None)
        for name in self._tables(None):
            table = self._service.get_table_client(name)
            found = self._rows(name, condition, parameters, _MOST_AT_A_READ)
            entities = (entity for each in found if (entity := wanted(each)) is not None)
            while some := list(itertools.islice(entities, _MOST_AT_ONCE)):
                table.submit_transaction([operation(entity) for entity in some], **_READ)
                done += len(some)
        return done

    def _write(self, table: TableClient, entities: Sequence[TableEntity]) -> None:
        try:
            _create(table, entities)
        except HttpResponseError as error:
            if error.status_code != HTTPStatus.NOT_FOUND:
                raise
            self._service.create_table_if_not_exists(table.table_name, **_WRITE)  # the first action of its month
            _create(table, entities)

    def _tables(self, newest: str | None) -> list[str]:
        """The tables there are, the newest first, from the one in which the page before ended."""
        within = {"first": "actions000000", "last": newest or "actions999999"}
        found = self._service.query_tables("TableName ge @first and TableName le @last", parameters=within, **_READ)
        return sorted((table.name for table in found if _TABLE.match(table.name)), reverse=True)

    def _rows(self, table: str, wanted: str, parameters: Mapping[str, Any], most: int) -> Iterator[TableEntity]:
        client = self._service.get_table_client(table)
        with contextlib.suppress(ResourceNotFoundError):  # its time was over a moment ago
            yield from client.query_entities(wanted, parameters=dict(parameters), results_per_page=most, **_READ)


def _create(table: TableClient, entities: Sequence[TableEntity]) -> None:
    """All in one transaction; where some are there already, from a repeat, each on its own."""
    try:
        table.submit_transaction([("create", entity) for entity in entities], **_WRITE)
    except HttpResponseError as error:
        if error.status_code != HTTPStatus.CONFLICT:
            raise
        for entity in entities:
            with contextlib.suppress(ResourceExistsError):
                table.create_entity(entity, **_WRITE)


def _chunks(actions: Iterable[Action]) -> Iterator[tuple[str, list[TableEntity]]]:
    """The rows table by table, in what one transaction takes: one partition, and so many rows."""

    def place(action: Action) -> tuple[str, int]:
        return _table_of(action.row_key), action.tenant_id

    for (table, _), together in itertools.groupby(sorted(actions, key=place), key=place):
        entities = [_entity(action) for action in together]
        for start in range(0, len(entities), _MOST_AT_ONCE):
            yield table, entities[start : start + _MOST_AT_ONCE]


def _table_of(row_key: str) -> str:
    return f"actions{month_of(row_key)}"


def _partition(tenant_id: int) -> str:
    return f"{tenant_id:012d}"


def _key(entity: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entity[name] for name in ("PartitionKey", "RowKey")}


def _entity(action: Action) -> TableEntity:
    """Numbers are text: the client would send them as 32 bits, and asks for user 1 as `true`.

    Raises:
        ValueError: a key with characters that keys here do not have.
    """
    if not _KEY.match(action.row_key):
        raise ValueError("a row key has digits, a to f, and underscores")
    return TableEntity(
        PartitionKey=_partition(action.tenant_id),
        RowKey=action.row_key,
        UserId=str(action.user_id),
        ActionType=action.action_type,
        Page=action.page,
        HappenedAt=action.happened_at,
    )


def _action(tenant_id: int, entity: Mapping[str, Any]) -> Action:
    return Action(
        tenant_id=tenant_id,
        user_id=int(entity["UserId"]),
        row_key=entity["RowKey"],
        action_type=entity["ActionType"],
        page=entity["Page"],
        happened_at=entity["HappenedAt"],
    )


def _filter(tenant_id: int, user_id: int | None, after: str | None) -> tuple[str, dict[str, str]]:
    asked = {"PartitionKey eq @tenant": ("tenant", _partition(tenant_id))}
    if user_id is not None:
        asked["UserId eq @user"] = ("user", str(user_id))
    if after is not None:
        asked["RowKey gt @after"] = ("after", after)
    return " and ".join(asked), dict(asked.values())
