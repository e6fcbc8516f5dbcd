"""The action log in Azure Table Storage: a table for each month, a partition for each tenant, the newest row first.

Partition and row keys contain the random keys of tenants and people, which are unique also after a restore. Older rows
have row ids instead; they are read too, until they are moved.
"""

import contextlib
import heapq
import itertools
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa
from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableClient, TableEntity, TableServiceClient, UpdateMode

from shared.errors import Unavailable
from tenants.actions.log import key_store
from tenants.actions.log.key_store import LogKeys
from tenants.actions.log.model import Action, AppendFailed, LogQuery, month_of


_MOST_AT_ONCE: Final = 100  # the service's limit for one transaction
_MOST_AT_A_READ: Final = 1000
_TABLE: Final = re.compile(r"\Aactions\d{6}\Z")
_KEY: Final = re.compile(r"\A[0-9a-f_]{1,64}\Z")  # a slash, for example, would make a row that cannot be addressed
# A write is tried twice within the time limit of a request; a person waits for a read.
_WRITE: Final[Mapping[str, Any]] = {"connection_timeout": 0.9, "read_timeout": 0.9, "retry_total": 1}
_READ: Final[Mapping[str, Any]] = {"connection_timeout": 2, "read_timeout": 10, "retry_total": 1}
_BACKOFF: Final = 0.1
_CHANGED: Final = {HTTPStatus.NOT_FOUND, HTTPStatus.PRECONDITION_FAILED}


_Bounds = tuple[str | None, str | None]  # row keys, both exclusive, the newer one first; None is open


class MoveFailed(Exception):
    """Some rows were not copied; none of them was deleted."""


@dataclass(frozen=True, slots=True)
class _Row:
    """`key` is the row key, of an older row the one after the move."""

    key: str
    user: uuid.UUID
    entity: TableEntity


class TablesActionLog:
    """Connects at the first use, to an https endpoint with the app's managed identity, or by a connection string.

    The keys are read from the database each time: after a restore the same row ids have other keys.
    """

    def __init__(self, endpoint: str, transaction: Callable[..., AbstractContextManager[sa.Connection]]) -> None:
        self._endpoint = endpoint
        self._transaction = transaction

    @cached_property
    def _service(self) -> TableServiceClient:
        if not self._endpoint.startswith("https://"):
            return TableServiceClient.from_connection_string(self._endpoint, retry_backoff_factor=_BACKOFF)
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - a connection string does not need it

        return TableServiceClient(self._endpoint, credential=DefaultAzureCredential(), retry_backoff_factor=_BACKOFF)

    def append(self, actions: Sequence[Action]) -> None:
        left = len(actions)
        try:
            for tenant_id, of_tenant in itertools.groupby(actions, key=lambda each: each.tenant_id):
                together = list(of_tenant)
                keys = self._keys(tenant_id, {each.user_id for each in together})
                for table, entities in _chunks(together, keys):
                    self._write(self._service.get_table_client(table), entities)
                    left -= len(entities)
        except AzureError as error:
            raise AppendFailed(left, "table_storage") from error

    def page(self, tenant_id: int, query: LogQuery) -> list[Action]:
        """Without actions of unknown people: after a restore the database lacks those who joined later."""
        limit = query.limit
        last = None if query.after is None else _parts(query.after)
        keys = self._keys(tenant_id, {number for number in (query.user_id, last and last[1]) if number is not None})
        if keys.is_numbered:
            keys = self._keys(tenant_id, everyone=True)
        try:
            newest = max(filter(None, (query.until, last and _row_key(*last, keys))), default=None)
            rows = self._between(keys, query, (newest, query.since))
            actions: list[Action] = []
            while len(actions) < limit and (some := list(itertools.islice(rows, limit))):
                numbers = self._numbers(tenant_id, keys, some)
                actions += [_action(tenant_id, numbers[row.user], row) for row in some if row.user in numbers]
            return actions[:limit]
        except AzureError as error:
            raise Unavailable("The action log cannot be read right now. Try again in a moment.") from error

    def rewrite(self, tenant_id: int, page: Callable[[int, str], str]) -> int:
        """In transactions of up to 100 rows, each of which stays when the next fails."""
        keys = self._keys(tenant_id, everyone=True)

        def changed(row: _Row) -> TableEntity | None:
            new = page(keys.number_of(row.user) or 0, row.entity["Page"])
            return None if new == row.entity["Page"] else TableEntity({**_key(row.entity), "Page": new})

        return self._each(keys, changed, lambda entity: ("update", entity, {"mode": UpdateMode.MERGE}))

    def delete(self, tenant_id: int) -> int:
        keys = self._keys(tenant_id, everyone=True)
        return self._each(keys, lambda row: TableEntity(_key(row.entity)), lambda entity: ("delete", entity))

    def move(self, tenant_id: int, *, progress: Callable[[int], None] = lambda _moved: None) -> int:
        """Moves older rows from the row id to the key; returns their number. It can be interrupted and repeated.

        Each hundred is copied, read back, and then deleted, unless an erasure changed it meanwhile: then it is copied
        again.

        Raises:
            MoveFailed: rows were not copied.
            AzureError: the storage failed.
        """
        keys, moved = self._keys(tenant_id, everyone=True), 0
        query = _filter(_numbered(tenant_id))
        for name in self._tables():
            table = self._service.get_table_client(name)
            while some := list(itertools.islice(self._rows(name, query, _MOST_AT_ONCE), _MOST_AT_ONCE)):
                if _move(table, [_old_row(entity, keys) for entity in some], keys):
                    moved += len(some)
                    progress(len(some))
        return moved

    def count_numbered(self, tenant_id: int) -> int:
        """The number of rows under the tenant's row id."""
        query = _filter(_numbered(tenant_id))
        return sum(1 for name in self._tables() for _ in self._rows(name, query, _MOST_AT_A_READ))

    def _keys(self, tenant_id: int, numbers: Iterable[int] = (), *, everyone: bool = False) -> LogKeys:
        with self._transaction(reads_only=True, tenant=tenant_id) as tx:
            return key_store.load_keys(tx, tenant_id, [*numbers], everyone=everyone)

    def _numbers(self, tenant_id: int, keys: LogKeys, rows: Iterable[_Row]) -> dict[uuid.UUID, int]:
        """The row ids of the people in rows, without unknown ones."""
        known = {row.user: keys.number_of(row.user) for row in rows}
        numbers = {key: number for key, number in known.items() if number is not None}
        unknown = known.keys() - numbers.keys()
        if unknown and not keys.is_numbered:  # else all people were read
            with self._transaction(reads_only=True, tenant=tenant_id) as tx:
                numbers |= key_store.numbers_by_key(tx, tenant_id, unknown)
        return numbers

    def _between(self, keys: LogKeys, query: LogQuery, bounds: _Bounds) -> Iterator[_Row]:
        """The rows of a query's person and type between two row keys; each once, also during a move."""
        newest, oldest = (None if key is None else _table_of(key) for key in bounds)
        for table in self._tables(newest, oldest):
            rows = self._merged(table, keys, query, bounds)
            yield from (next(same) for _, same in itertools.groupby(rows, key=lambda row: row.key))

    def _merged(self, table: str, keys: LogKeys, query: LogQuery, bounds: _Bounds) -> Iterator[_Row]:
        user_id, limit = query.user_id, query.limit
        of_type = {} if query.action_type is None else {"ActionType": query.action_type}
        of_user = {} if user_id is None else {"User": keys.key_of(user_id).hex}
        new = map(_new_row, self._rows(table, _filter(_partition(keys), of_user | of_type, bounds), limit))
        if not keys.is_numbered:
            return new
        of_number = {} if user_id is None else {"UserId": str(user_id)}
        after, before = bounds
        from_instant = None if after is None else after.partition("_")[0]
        numbered = _filter(_numbered(keys.tenant_id), of_number | of_type, (from_instant, before))
        old_entities = self._rows(table, numbered, limit)
        old = (
            row
            for row in _in_order(_old_row(entity, keys) for entity in old_entities)
            if after is None or row.key > after
        )
        return heapq.merge(new, old, key=lambda row: row.key)

    def _each(
        self, keys: LogKeys, change: Callable[[_Row], TableEntity | None], operation: Callable[[TableEntity], Any]
    ) -> int:
        """Older rows come first, so that rows that are moved meanwhile are not missed."""
        changed = 0
        for name in self._tables():
            table = self._service.get_table_client(name)
            old = (
                _old_row(each, keys) for each in self._rows(name, _filter(_numbered(keys.tenant_id)), _MOST_AT_A_READ)
            )
            new = map(_new_row, self._rows(name, _filter(_partition(keys)), _MOST_AT_A_READ))
            for rows in (old if keys.is_numbered else iter(()), new):
                entities = (entity for row in rows if (entity := change(row)) is not None)
                while some := list(itertools.islice(entities, _MOST_AT_ONCE)):
                    table.submit_transaction([operation(entity) for entity in some], **_READ)
                    changed += len(some)
        return changed

    def _write(self, table: TableClient, entities: Sequence[TableEntity]) -> None:
        try:
            _create(table, entities)
        except HttpResponseError as error:
            if error.status_code != HTTPStatus.NOT_FOUND:
                raise
            self._service.create_table_if_not_exists(table.table_name, **_WRITE)  # the month's first action
            _create(table, entities)

    def _tables(self, newest: str | None = None, oldest: str | None = None) -> list[str]:
        """The existing tables from the newest to the oldest one."""
        within = {"first": oldest or "actions000000", "last": newest or "actions999999"}
        tables = self._service.query_tables("TableName ge @first and TableName le @last", parameters=within, **_READ)
        return sorted((table.name for table in tables if _TABLE.match(table.name)), reverse=True)

    def _rows(self, table: str, query: tuple[str, Mapping[str, str]], limit: int) -> Iterator[TableEntity]:
        client, (condition, parameters) = self._service.get_table_client(table), query
        with contextlib.suppress(ResourceNotFoundError):  # retention has just deleted the table
            yield from client.query_entities(condition, parameters=dict(parameters), results_per_page=limit, **_READ)


def _create(table: TableClient, entities: Sequence[TableEntity]) -> None:
    """All in one transaction; after a repeat of the request, when some exist, one by one."""
    try:
        table.submit_transaction([("create", entity) for entity in entities], **_WRITE)
    except HttpResponseError as error:
        if error.status_code != HTTPStatus.CONFLICT:
            raise
        for entity in entities:
            with contextlib.suppress(ResourceExistsError):
                table.create_entity(entity, **_WRITE)


def _move(table: TableClient, rows: Sequence[_Row], keys: LogKeys) -> bool:
    """Copies rows and deletes the originals; False, without a deletion, if one was changed meanwhile.

    Copies of rows that the tenant's erasure deleted meanwhile are deleted too.
    """
    copies = [_copy(row, keys) for row in rows]
    table.submit_transaction([("upsert", copy, {"mode": UpdateMode.REPLACE}) for copy in copies], **_READ)
    if not {copy["RowKey"] for copy in copies} <= _present(
        table, _partition(keys), [copy["RowKey"] for copy in copies]
    ):
        raise MoveFailed(f"{table.table_name} lacks copied rows; none of the originals was deleted")
    unchanged = {"match_condition": MatchConditions.IfNotModified}
    try:
        table.submit_transaction(
            [("delete", row.entity, {"etag": row.entity.metadata["etag"], **unchanged}) for row in rows], **_READ
        )
    except HttpResponseError as error:
        if error.status_code not in _CHANGED:
            raise
        left = _present(table, _numbered(keys.tenant_id), [row.entity["RowKey"] for row in rows])
        gone = [copy for row, copy in zip(rows, copies, strict=True) if row.entity["RowKey"] not in left]
        if gone:
            table.submit_transaction([("delete", TableEntity(_key(copy))) for copy in gone], **_READ)
        return False
    return True


def _present(table: TableClient, partition: str, row_keys: Sequence[str]) -> set[str]:
    """The existing row keys of a partition, from the least to the greatest of these."""
    within = {"partition": partition, "first": min(row_keys), "last": max(row_keys)}
    condition = "PartitionKey eq @partition and RowKey ge @first and RowKey le @last"
    return {row["RowKey"] for row in table.query_entities(condition, parameters=within, select=["RowKey"], **_READ)}


def _chunks(actions: Iterable[Action], keys: LogKeys) -> Iterator[tuple[str, list[TableEntity]]]:
    """One tenant's rows by table, in chunks of one transaction."""
    for table, together in itertools.groupby(
        sorted(actions, key=lambda each: _table_of(each.row_key)), key=lambda each: _table_of(each.row_key)
    ):
        entities = [_entity(action, keys) for action in together]
        for start in range(0, len(entities), _MOST_AT_ONCE):
            yield table, entities[start : start + _MOST_AT_ONCE]


def _table_of(row_key: str) -> str:
    return f"actions{month_of(row_key)}"


def _partition(keys: LogKeys) -> str:
    return keys.tenant.hex


def _numbered(tenant_id: int) -> str:
    """The partition of older rows."""
    return f"{tenant_id:012d}"


def _key(entity: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entity[name] for name in ("PartitionKey", "RowKey")}


def _parts(row_key: str) -> tuple[str, int, str]:
    inverted, number, tag = row_key.split("_")
    return inverted, int(number), tag


def _row_key(inverted: str, number: int, tag: str, keys: LogKeys) -> str:
    return f"{inverted}_{keys.key_of(number).hex}_{tag}"


def _entity(action: Action, keys: LogKeys) -> TableEntity:
    """Raises ValueError for a row key with other characters."""
    if not _KEY.match(action.row_key):
        raise ValueError("a row key has digits, a to f, and underscores")
    return TableEntity(
        PartitionKey=_partition(keys),
        RowKey=_row_key(*_parts(action.row_key), keys),
        User=keys.key_of(action.user_id).hex,
        ActionType=action.action_type,
        Page=action.page,
        HappenedAt=action.happened_at,
    )


def _copy(row: _Row, keys: LogKeys) -> TableEntity:
    """The row after the move."""
    facts = {name: row.entity[name] for name in ("ActionType", "Page", "HappenedAt")}
    return TableEntity(PartitionKey=_partition(keys), RowKey=row.key, User=row.user.hex, **facts)


def _new_row(entity: TableEntity) -> _Row:
    return _Row(entity["RowKey"], uuid.UUID(entity["User"]), entity)


def _old_row(entity: TableEntity, keys: LogKeys) -> _Row:
    inverted, number, tag = _parts(entity["RowKey"])
    user = keys.key_then(number, entity["HappenedAt"])
    return _Row(f"{inverted}_{user.hex}_{tag}", user, entity)


def _in_order(rows: Iterable[_Row]) -> Iterator[_Row]:
    """By their keys after the move: rows of one instant are sorted by row id."""
    for _, of_instant in itertools.groupby(rows, key=lambda row: row.key.partition("_")[0]):
        yield from sorted(of_instant, key=lambda row: row.key)


def _action(tenant_id: int, number: int, row: _Row) -> Action:
    inverted, _, tag = row.key.split("_")
    return Action(
        tenant_id=tenant_id,
        user_id=number,
        row_key=f"{inverted}_{number}_{tag}",
        action_type=row.entity["ActionType"],
        page=row.entity["Page"],
        happened_at=row.entity["HappenedAt"],
    )


def _filter(
    partition: str, equal: Mapping[str, str] = MappingProxyType({}), bounds: _Bounds = (None, None)
) -> tuple[str, dict[str, str]]:
    conditions = {"PartitionKey eq @partition": ("partition", partition)}
    conditions |= {f"{name} eq @{name}": (name, value) for name, value in equal.items()}
    after, before = bounds
    if after is not None:
        conditions["RowKey gt @after"] = ("after", after)
    if before is not None:
        conditions["RowKey lt @before"] = ("before", before)
    return " and ".join(conditions), dict(conditions.values())
