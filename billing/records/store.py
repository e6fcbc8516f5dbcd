"""Reads a tenant's bills: pages of records, and the records of a month with their lines."""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from billing.closing.model import Activity, Reason, Record, State
from billing.closing.record_store import record_of
from billing.records.seat_rules import SeatSpan
from shared.calendar import Month
from shared.db.schema import billing_lines, billing_records, users


@dataclass(frozen=True, slots=True)
class BillLine:
    """An active user of a record, with name and address at the close."""

    user_id: uuid.UUID
    email: str
    display_name: str
    reason: Reason
    first_activity_at: dt.datetime
    last_activity_at: dt.datetime
    activity_month: Month


@dataclass(frozen=True, slots=True)
class ClosedBill:
    """A record with its lines; `seats` only on a plan by seats of the Marketplace."""

    record: Record
    lines: tuple[BillLine, ...]
    seats: tuple[SeatSpan, ...] = ()


_r, _l = billing_records.c, billing_lines.c
_before, _after = billing_records.alias("replaced"), billing_records.alias("replacement")
_last = billing_records.alias("page_end")
_RECORDS: Final[sa.Select[Any]] = (
    sa.select(
        billing_records,
        _before.c.public_id.label("replaces"),
        _after.c.public_id.label("replaced_by"),
    )
    .select_from(billing_records)
    .outerjoin(_before, sa.and_(_before.c.tenant_id == _r.tenant_id, _before.c.id == _r.replaces_id))
    .outerjoin(_after, sa.and_(_after.c.tenant_id == _r.tenant_id, _after.c.replaces_id == _r.id))
    .where(_r.tenant_id == bindparam("tenant"))
)
# Keyset paging: the cursor is the public id of the last record, since row numbers are internal.
_LAST_RECORD: Final = sa.and_(_last.c.tenant_id == bindparam("tenant"), _last.c.public_id == bindparam("end"))
_LAST_MONTH: Final = sa.select(_last.c.month_key).where(_LAST_RECORD).scalar_subquery()
_LAST_ROW: Final = sa.select(_last.c.id).where(_LAST_RECORD).scalar_subquery()
_AFTER_LAST: Final = sa.or_(_r.month_key < _LAST_MONTH, sa.and_(_r.month_key == _LAST_MONTH, _r.id < _LAST_ROW))
_IN_MONTH: Final = _r.month_key == bindparam("month")
_NEWEST_FIRST: Final = _RECORDS.order_by(_r.month_key.desc(), _r.id.desc()).limit(bindparam("limit"))
_OF_MONTH: Final = _RECORDS.where(_IN_MONTH).order_by(_r.id)
_LINES: Final[sa.Select[Any]] = (
    sa.select(
        _l.record_id,
        users.c.public_id,
        _l.email,
        _l.display_name,
        _l.reason,
        _l.first_activity_at,
        _l.last_activity_at,
        _l.activity_month,
    )
    .join(billing_records, sa.and_(_r.tenant_id == _l.tenant_id, _r.id == _l.record_id))
    .join(users, sa.and_(users.c.tenant_id == _l.tenant_id, users.c.id == _l.user_id))
    .where(_l.tenant_id == bindparam("tenant"), _IN_MONTH)
)
_PEOPLE: Final[sa.Select[Any]] = sa.select(users.c.id, users.c.public_id).where(
    users.c.tenant_id == bindparam("tenant")
)


def page(
    tx: sa.Connection,
    tenant_id: int,
    *,
    month: Month | None,
    state: State | None,
    after: uuid.UUID | None,
    limit: int,
) -> list[Record]:
    """At most `limit` records, newest month first, of one month or state if given, after the record `after`."""
    statement = _NEWEST_FIRST
    parameters: dict[str, Any] = {"tenant": tenant_id, "limit": limit}
    if month is not None:
        statement, parameters = statement.where(_IN_MONTH), {**parameters, "month": month.key}
    if state is not None:
        statement = statement.where(_r.state == bindparam("wanted_state"))
        parameters = {**parameters, "wanted_state": state.value}
    if after is not None:
        statement, parameters = statement.where(_AFTER_LAST), {**parameters, "end": after}
    return [_record(row) for row in tx.execute(statement, parameters)]


def bills_of(tx: sa.Connection, tenant_id: int, month: Month) -> list[ClosedBill]:
    """The records of a month in closing order, each with its lines by name."""
    key = {"tenant": tenant_id, "month": month.key}
    records = [_record(row) for row in tx.execute(_OF_MONTH, key)]
    lines: dict[int, list[BillLine]] = {record.id: [] for record in records}
    if records:
        for row in tx.execute(_LINES, key):
            lines[row.record_id].append(
                BillLine(
                    user_id=row.public_id,
                    email=row.email,
                    display_name=row.display_name,
                    reason=Reason(row.reason),
                    first_activity_at=row.first_activity_at,
                    last_activity_at=row.last_activity_at,
                    activity_month=Month.from_key(row.activity_month),
                )
            )
    return [ClosedBill(record, _sorted(lines[record.id])) for record in records]


def _record(row: sa.Row[Any]) -> Record:
    return replace(record_of(row), replaces=row.replaces, replaced_by=row.replaced_by)


def lines_of(tx: sa.Connection, tenant_id: int, activities: Iterable[Activity]) -> tuple[BillLine, ...]:
    """The lines of a bill that is not closed yet."""
    people: dict[int, uuid.UUID] = {row.id: row.public_id for row in tx.execute(_PEOPLE, {"tenant": tenant_id})}
    return _sorted(
        [
            BillLine(
                user_id=people[each.user_id],
                email=each.email,
                display_name=each.display_name,
                reason=each.reason,
                first_activity_at=each.first_at,
                last_activity_at=each.last_at,
                activity_month=each.month,
            )
            for each in activities
        ]
    )


def _sorted(lines: Sequence[BillLine]) -> tuple[BillLine, ...]:
    """Sorted by name here, since databases sort names differently; lines of earlier months come last."""
    return tuple(
        sorted(lines, key=lambda line: (-line.activity_month.key, line.display_name.casefold(), line.email.casefold()))
    )
