"""Reads the rows of all people directly from the database, after the run."""

import datetime as dt
import json
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self

import sqlalchemy as sa

from shared.db.schema import (
    idempotency_keys,
    projects,
    running_timers,
    tenants,
    time_entries,
    timer_log,
    user_months,
    users,
)
from tools.chaos.clients.history import Json, Operation, Outcome


PersonKey = tuple[str, str]  # directory and object id
ItemKey = tuple[str, int]  # project and work item
SERVICE: PersonKey = ("", "")  # the service itself


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row of the timer log."""

    number: int
    event: str
    timer: str
    version: int
    happened_at: dt.datetime
    received_at: dt.datetime
    reported_late: bool
    elapsed_ms: int | None
    reason: str | None
    after: Json | None
    item: ItemKey

    @property
    def note(self) -> str | None:
        return None if self.after is None else self.after["note"]

    def instant(self, name: str) -> dt.datetime | None:
        """A time of the entry after the change; None without an entry."""
        return None if self.after is None else dt.datetime.fromisoformat(self.after[name])

    def describe(self) -> str:
        times = f"{self.happened_at:%H:%M:%S.%f}, received {self.received_at:%H:%M:%S.%f}"
        facts = f"{self.event} {self.timer} v{self.version}, {self.elapsed_ms} ms, {self.reason}"
        return f"log {self.number}: {facts}, at {times}"


@dataclass(slots=True)
class PersonRows:
    """All rows of one person; `accounts` is the number of accounts."""

    accounts: int = 0
    log: list[LogRow] = field(default_factory=list)  # of their time
    done: list[LogRow] = field(default_factory=list)  # of their own requests, which may change a colleague's time
    entries: dict[str, Any] = field(default_factory=dict)
    running: list[Any] = field(default_factory=list)
    responses: dict[str, tuple[int, Json]] = field(default_factory=dict)  # by Idempotency-Key
    items: dict[str, ItemKey] = field(default_factory=dict)  # of entries and running timers
    account_signed_in: dt.datetime | None = None  # last sign-in in the account
    months_signed_in: list[dt.datetime] = field(default_factory=list)  # last sign-in of each month

    def response_to(self, operation: Operation) -> tuple[int, Json] | None:
        """The successful response, also if it never arrived; None without a known success."""
        if operation.outcome is Outcome.ACKNOWLEDGED:
            return operation.status or 0, operation.answer or {}
        if operation.outcome is Outcome.REFUSED or operation.key is None:
            return None
        status, answer = self.responses.get(operation.key, (HTTPStatus.NOT_FOUND, {}))
        return (status, answer) if status < HTTPStatus.BAD_REQUEST else None


@dataclass(frozen=True, slots=True)
class TimerLogIndex:
    """The log of all people: rows by entry and version, and the ids of deleted entries."""

    versions: dict[tuple[str, int], LogRow]
    deleted: set[str]

    @classmethod
    def of(cls, people: Iterable[PersonRows]) -> Self:
        rows = [row for each in people for row in each.log]
        versions = {(row.timer, row.version): row for row in rows if row.after is not None}
        return cls(versions, {row.timer for row in rows if row.event == "deleted"})


def load_rows(tx: sa.Connection) -> dict[PersonKey, PersonRows]:
    """The rows of every person, by directory and object id."""
    rows_by_person: defaultdict[PersonKey, PersonRows] = defaultdict(PersonRows)
    people: dict[int, PersonKey] = {}
    project_names: dict[int, str] = {
        each.id: each.name for each in tx.execute(sa.select(projects.c.id, projects.c.name))
    }
    account = sa.select(users.c.id, users.c.entra_object_id, users.c.last_sign_in_at, tenants.c.entra_tenant_id)
    for row in tx.execute(account.join(tenants, tenants.c.id == users.c.tenant_id)):
        people[row.id] = (str(row.entra_tenant_id), str(row.entra_object_id))
        rows_by_person[people[row.id]].accounts += 1
        rows_by_person[people[row.id]].account_signed_in = row.last_sign_in_at

    def load_table(table: sa.Table, order: sa.Column[Any], add: Callable[[PersonRows, Any], None]) -> None:
        for row in tx.execute(sa.select(table).order_by(order)):
            add(rows_by_person[people[row.user_id]], row)

    for row in tx.execute(sa.select(timer_log).order_by(timer_log.c.id)):
        read_row = _build_row(row, (project_names[row.project_id], row.work_item_id))
        rows_by_person[people[row.user_id]].log.append(read_row)
        rows_by_person[people.get(row.actor_id, SERVICE)].done.append(read_row)

    def add_item(of: PersonRows, row: Any) -> None:  # noqa: ANN401 - of the driver
        of.items[str(row.public_id)] = (project_names[row.project_id], row.work_item_id)

    load_table(time_entries, time_entries.c.id, lambda of, row: of.entries.update({str(row.public_id): row}))
    load_table(time_entries, time_entries.c.id, add_item)
    load_table(running_timers, running_timers.c.id, lambda of, row: of.running.append(row))
    load_table(running_timers, running_timers.c.id, add_item)
    load_table(user_months, user_months.c.month_key, lambda of, row: of.months_signed_in.append(row.last_sign_in_at))
    load_table(idempotency_keys, idempotency_keys.c.created_at, _add_stored_response)
    return dict(rows_by_person)


def starts_ended_at_once(log: list[LogRow]) -> set[int]:
    """The numbers of late starts that were stored together with their end, since a later start was known."""
    ends = {row.timer: row.received_at for row in log if row.event == "stopped"}
    starts = (row for row in log if row.event == "started" and row.reported_late)
    return {row.number for row in starts if ends.get(row.timer) == row.received_at}


def load_directories(tx: sa.Connection) -> set[str]:
    """The ids of the directories with a tenant."""
    return {str(each) for each in tx.scalars(sa.select(tenants.c.entra_tenant_id))}


def load_total(tx: sa.Connection, tid: str) -> int:
    """The milliseconds of all entries of a directory."""
    summed = sa.select(sa.func.coalesce(sa.func.sum(time_entries.c.elapsed_ms), 0))
    own = tenants.c.entra_tenant_id == uuid.UUID(tid)
    return int(tx.execute(summed.join(tenants, tenants.c.id == time_entries.c.tenant_id).where(own)).scalar_one())


def _build_row(row: Any, item: ItemKey) -> LogRow:  # noqa: ANN401 - of the driver
    return LogRow(
        row.id,
        row.event,
        str(row.timer_id),
        row.entry_version,
        row.happened_at,
        row.received_at,
        row.reported_late,
        row.elapsed_ms,
        row.reason,
        row.after_change,
        item,
    )


def _add_stored_response(of: PersonRows, row: Any) -> None:  # noqa: ANN401 - of the driver
    of.responses[row.idempotency_key] = (row.status, json.loads(row.body) if row.body else {})
