"""What the database holds of the people of a run, read past the product when everything has come to rest."""

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


Who = tuple[str, str]  # directory and object id
Item = tuple[str, int]  # project and work item
NOBODY: Who = ("", "")  # the service itself


@dataclass(frozen=True, slots=True)
class Row:
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
    item: Item

    @property
    def note(self) -> str | None:
        return None if self.after is None else self.after["note"]

    def instant(self, name: str) -> dt.datetime | None:
        """Of the entry as it then was; None where there is none."""
        return None if self.after is None else dt.datetime.fromisoformat(self.after[name])

    def told(self) -> str:
        when = f"{self.happened_at:%H:%M:%S.%f}, received {self.received_at:%H:%M:%S.%f}"
        what = f"{self.event} {self.timer} v{self.version}, {self.elapsed_ms} ms, {self.reason}"
        return f"log {self.number}: {what}, at {when}"


@dataclass(slots=True)
class Kept:
    """Everything of one person. `accounts` is how often they are in the database."""

    accounts: int = 0
    log: list[Row] = field(default_factory=list)  # about their time
    done: list[Row] = field(default_factory=list)  # by them: an admin may have changed a colleague's time
    entries: dict[str, Any] = field(default_factory=dict)
    running: list[Any] = field(default_factory=list)
    answers: dict[str, tuple[int, Json]] = field(default_factory=dict)  # by Idempotency-Key
    items: dict[str, Item] = field(default_factory=dict)  # of their entries and of what runs
    account_signed_in: dt.datetime | None = None  # last, by the account
    months_signed_in: list[dt.datetime] = field(default_factory=list)  # last in each month

    def answer_to(self, asked: Operation) -> tuple[int, Json] | None:
        """The success that the person was told, or would have been; None where there is none that anybody knows of."""
        if asked.outcome is Outcome.ACKNOWLEDGED:
            return asked.status or 0, asked.answer or {}
        if asked.outcome is Outcome.REFUSED or asked.key is None:
            return None
        status, answer = self.answers.get(asked.key, (HTTPStatus.NOT_FOUND, {}))
        return (status, answer) if status < HTTPStatus.BAD_REQUEST else None


@dataclass(frozen=True, slots=True)
class Logged:
    """Everybody's entries in the log: by id and version the row of each, and those that were deleted."""

    versions: dict[tuple[str, int], Row]
    deleted: set[str]

    @classmethod
    def of(cls, everybody: Iterable[Kept]) -> Self:
        rows = [row for kept in everybody for row in kept.log]
        versions = {(row.timer, row.version): row for row in rows if row.after is not None}
        return cls(versions, {row.timer for row in rows if row.event == "deleted"})


def read(tx: sa.Connection) -> dict[Who, Kept]:
    """Of every person there is."""
    kept: defaultdict[Who, Kept] = defaultdict(Kept)
    people: dict[int, Who] = {}
    named: dict[int, str] = {each.id: each.name for each in tx.execute(sa.select(projects.c.id, projects.c.name))}
    account = sa.select(users.c.id, users.c.entra_object_id, users.c.last_sign_in_at, tenants.c.entra_tenant_id)
    for row in tx.execute(account.join(tenants, tenants.c.id == users.c.tenant_id)):
        people[row.id] = (str(row.entra_tenant_id), str(row.entra_object_id))
        kept[people[row.id]].accounts += 1
        kept[people[row.id]].account_signed_in = row.last_sign_in_at

    def each(table: sa.Table, order: sa.Column[Any], put: Callable[[Kept, Any], None]) -> None:
        for row in tx.execute(sa.select(table).order_by(order)):
            put(kept[people[row.user_id]], row)

    for row in tx.execute(sa.select(timer_log).order_by(timer_log.c.id)):
        read_row = _row(row, (named[row.project_id], row.work_item_id))
        kept[people[row.user_id]].log.append(read_row)
        kept[people.get(row.actor_id, NOBODY)].done.append(read_row)

    def keep(of: Kept, row: Any) -> None:  # noqa: ANN401 - of the driver
        of.items[str(row.public_id)] = (named[row.project_id], row.work_item_id)

    each(time_entries, time_entries.c.id, lambda of, row: of.entries.update({str(row.public_id): row}))
    each(time_entries, time_entries.c.id, keep)
    each(running_timers, running_timers.c.id, lambda of, row: of.running.append(row))
    each(running_timers, running_timers.c.id, keep)
    each(user_months, user_months.c.month_key, lambda of, row: of.months_signed_in.append(row.last_sign_in_at))
    each(idempotency_keys, idempotency_keys.c.created_at, _answer)
    return dict(kept)


def ended_at_once(log: list[Row]) -> set[int]:
    """The numbers of those starts that let nothing run, since a later one was known: their end came with them."""
    ends = {row.timer: row.received_at for row in log if row.event == "stopped"}
    starts = (row for row in log if row.event == "started" and row.reported_late)
    return {row.number for row in starts if ends.get(row.timer) == row.received_at}


def directories(tx: sa.Connection) -> set[str]:
    """The ids of those that have a tenant."""
    return {str(each) for each in tx.scalars(sa.select(tenants.c.entra_tenant_id))}


def total(tx: sa.Connection, tid: str) -> int:
    """The milliseconds of all entries of a directory."""
    added = sa.select(sa.func.coalesce(sa.func.sum(time_entries.c.elapsed_ms), 0))
    own = tenants.c.entra_tenant_id == uuid.UUID(tid)
    return int(tx.execute(added.join(tenants, tenants.c.id == time_entries.c.tenant_id).where(own)).scalar_one())


def _row(row: Any, item: Item) -> Row:  # noqa: ANN401 - of the driver
    return Row(
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


def _answer(of: Kept, row: Any) -> None:  # noqa: ANN401 - of the driver
    of.answers[row.idempotency_key] = (row.status, json.loads(row.body) if row.body else {})
