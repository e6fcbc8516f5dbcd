"""Reads the bills of a tenant: its records a page at a time, and those of one month with their lines."""

import datetime as dt
import itertools
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from billing.closing.model import Activity
from billing.records.seat_rules import SeatSpan, charges_for_seats
from shared.db.schema import billing_lines, billing_records, users
from shared.money import MONTH


@dataclass(frozen=True, slots=True)
class Record:
    """`month_key` is yyyymm in the record's zone; the period is half-open."""

    row: int
    subscription_row: int
    id: uuid.UUID
    month_key: int
    kind: str
    state: str
    period_from: dt.datetime
    period_to: dt.datetime
    time_zone: str
    marketplace_id: uuid.UUID | None
    plan_id: str
    quantity: int | None
    active_users: int
    rate_per_user: Decimal | None
    currency: str | None
    minor_unit: Decimal | None
    total: Decimal | None
    last_event_type: str | None
    closed_at: dt.datetime
    voided_at: dt.datetime | None
    void_reason: str | None
    replaces: uuid.UUID | None
    replaced_by: uuid.UUID | None
    included_users: int = 0
    rate_unit: str = MONTH

    @property
    def is_void(self) -> bool:
        return self.state == "void"

    @property
    def is_by_seats(self) -> bool:
        return charges_for_seats(self.marketplace_id, self.quantity)


@dataclass(frozen=True, slots=True)
class Line:
    """One person who is billed, as they were named when the month was closed."""

    user_id: uuid.UUID
    email: str
    display_name: str
    reason: str
    first_activity_at: dt.datetime
    last_activity_at: dt.datetime
    activity_month: int


@dataclass(frozen=True, slots=True)
class Bill:
    """`seats` are those of the period, on a plan that Microsoft charges by them."""

    record: Record
    lines: tuple[Line, ...]
    seats: tuple[SeatSpan, ...] = ()


_r, _l = billing_records.c, billing_lines.c
_before, _after = billing_records.alias("replaced"), billing_records.alias("replacement")
_end = billing_records.alias("page_end")
_RECORDS: Final[sa.Select[Any]] = (
    sa.select(
        _r.id.label("row"),
        _r.subscription_id.label("subscription_row"),
        _r.public_id,
        _r.month_key,
        _r.kind,
        _r.state,
        _r.period_from,
        _r.period_to,
        _r.time_zone,
        _r.marketplace_id,
        _r.plan_id,
        _r.quantity,
        _r.active_users,
        _r.rate_per_user,
        _r.currency,
        _r.minor_unit,
        _r.total,
        _r.last_event_type,
        _r.closed_at,
        _r.voided_at,
        _r.void_reason,
        _before.c.public_id.label("replaces"),
        _after.c.public_id.label("replaced_by"),
        _r.included_users,
        _r.rate_unit,
    )
    .select_from(billing_records)
    .outerjoin(_before, sa.and_(_before.c.tenant_id == _r.tenant_id, _before.c.id == _r.replaces_id))
    .outerjoin(_after, sa.and_(_after.c.tenant_id == _r.tenant_id, _after.c.replaces_id == _r.id))
    .where(_r.tenant_id == bindparam("tenant"))
)
# Keyset paging: the page before ended at a record that its public id names, since row numbers stay inside.
_THE_END: Final = sa.and_(_end.c.tenant_id == bindparam("tenant"), _end.c.public_id == bindparam("end"))
_END_MONTH: Final = sa.select(_end.c.month_key).where(_THE_END).scalar_subquery()
_END_ROW: Final = sa.select(_end.c.id).where(_THE_END).scalar_subquery()
_PARTS: Final = {
    "month": _r.month_key == bindparam("month"),
    "state": _r.state == bindparam("wanted_state"),
    "end": sa.or_(_r.month_key < _END_MONTH, sa.and_(_r.month_key == _END_MONTH, _r.id < _END_ROW)),
}
_PAGES: Final = {
    frozenset(asked): _RECORDS.where(*(_PARTS[name] for name in asked))
    .order_by(_r.month_key.desc(), _r.id.desc())
    .limit(bindparam("most"))
    for size in range(len(_PARTS) + 1)
    for asked in itertools.combinations(_PARTS, size)
}
_OF_MONTH: Final = _RECORDS.where(_PARTS["month"]).order_by(_r.id)
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
    .where(_l.tenant_id == bindparam("tenant"), _r.month_key == bindparam("month"))
)
_PEOPLE: Final[sa.Select[Any]] = sa.select(users.c.id, users.c.public_id).where(
    users.c.tenant_id == bindparam("tenant")
)


def page(
    tx: sa.Connection,
    tenant_id: int,
    *,
    month: int | None,
    state: str | None,
    end: uuid.UUID | None,
    most: int,
) -> list[Record]:
    """At most `most` records, newest month first, of one month or state if named, after the record of `end`."""
    asked = {"month": month, "state": state, "end": end}
    given = frozenset(name for name, value in asked.items() if value is not None)
    parameters = {"month": month, "wanted_state": state, "end": end}
    used = {name: value for name, value in parameters.items() if value is not None}
    return [Record(*row) for row in tx.execute(_PAGES[given], {"tenant": tenant_id, "most": most, **used})]


def bills_of(tx: sa.Connection, tenant_id: int, month: int) -> list[Bill]:
    """The records of a month in the order in which they were closed, each with its lines by name."""
    key = {"tenant": tenant_id, "month": month}
    records = [Record(*row) for row in tx.execute(_OF_MONTH, key)]
    lines: dict[int, list[Line]] = {record.row: [] for record in records}
    if records:
        for row in tx.execute(_LINES, key):
            lines[row[0]].append(Line(*row[1:]))
    return [Bill(record, _sorted(lines[record.row])) for record in records]


def lines_of(tx: sa.Connection, tenant_id: int, activities: Iterable[Activity]) -> tuple[Line, ...]:
    """Those who would be billed, as a record would list them."""
    people: dict[int, uuid.UUID] = {row.id: row.public_id for row in tx.execute(_PEOPLE, {"tenant": tenant_id})}
    return _sorted(
        [
            Line(
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


def _sorted(lines: Sequence[Line]) -> tuple[Line, ...]:
    """By name as people read it, which no two databases sort alike; what is of an earlier month comes last."""
    return tuple(
        sorted(lines, key=lambda line: (-line.activity_month, line.display_name.casefold(), line.email.casefold()))
    )
