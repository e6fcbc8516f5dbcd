"""Hours owed to Completed Work become changes, work items with what was written to each, and attempts to write."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from alembic import op

from shared import clock
from shared.db import types


revision = "c3b0f4d2a917"
down_revision = "c81f5e2a9d47"

_AT_ONCE: Final = 500
_MS_PER_HOUR: Final = 3_600_000
_PLACES: Final = Decimal("0.0001")
_SHORT: Final = Decimal("0.0005")  # less than that is what rounding each write by itself comes to
_hours, _instant = types.Hours(), types.UtcDateTime()


def _table(name: str, *columns: str, **typed: Any) -> sa.TableClause:  # noqa: ANN401 - column types
    made = [sa.column(each) for each in columns] + [sa.column(each, kind) for each, kind in typed.items()]
    return sa.table(name, *made)


_id = sa.Uuid()
_tenants = _table("tenants", "id", public_id=_id)
_projects = _table("projects", "id", "tenant_id", "organization_id")
_entries = _table(
    "time_entries", "id", "tenant_id", "user_id", "project_id", "work_item_id", "elapsed_ms", public_id=_id
)
_log = _table("timer_log", "tenant_id", "user_id", "project_id", "work_item_id", timer_id=_id)
_debts = _table(
    "write_backs",
    "id",
    "tenant_id",
    "user_id",
    "project_id",
    "work_item_id",
    "delta_ms",
    "state",
    "reason",
    "detail",
    "pinned_revision",
    public_id=_id,
    entry_id=_id,
    hours_before=_hours,
    hours_after=_hours,
    claimed_until=_instant,
    created_at=_instant,
    updated_at=_instant,
)
_changes = _table(
    "write_back_changes",
    "id",
    "tenant_id",
    "organization_id",
    "work_item_id",
    "delta_ms",
    "batch",
    public_id=_id,
    entry_id=_id,
    created_at=_instant,
)
_items = _table(
    "write_back_items",
    "id",
    "tenant_id",
    "organization_id",
    "work_item_id",
    "target_ms",
    "short_batch",
    "last_batch",
    "settled_batch",
    "last_attempt",
    "state",
    "reason",
    public_id=_id,
    written=_hours,
    migrated=_hours,
    lowest=_hours,
    short=_hours,
    remaining_taken=_hours,
    updated_at=_instant,
)
_attempts = _table(
    "write_back_attempts",
    "id",
    "tenant_id",
    "item_id",
    "number",
    "revision",
    "batch",
    "state",
    hours_before=_hours,
    hours_after=_hours,
    short_after=_hours,
    legacy_mark=_id,
    created_at=_instant,
)


def upgrade() -> None:
    _make()
    op.add_column("tenants", sa.Column("lower_remaining_work", sa.Boolean(), server_default=sa.false(), nullable=False))
    # This holds the table on PostgreSQL and Azure SQL until the migration is committed: rows that the code
    # before wrote to the old table after the copy would be lost to the new ledger.
    op.drop_index("ix_write_backs_entry", "write_backs")
    _copy_changes()
    if not op.get_context().as_sql:  # these need rows to be read: printed for review they are left out
        for tenant_id, public_id in _tenants_that_owe():
            _add_differences(tenant_id)
            _add_items(tenant_id, public_id)
    op.drop_table("write_backs")


def downgrade() -> None:
    _make_debts()
    if not op.get_context().as_sql:
        _require_no_open_attempt()
    _copy_back()
    for table in ("write_back_attempts", "write_back_items", "write_back_changes"):
        op.drop_table(table)
    with op.batch_alter_table("tenants", schema=None) as batch_op:
        batch_op.drop_column("lower_remaining_work", mssql_drop_default=True)


def _copy_changes() -> None:
    batch = sa.case((_debts.c.state == "done", 1), else_=sa.null())
    names = ("tenant_id", "public_id", "entry_id", "organization_id", "work_item_id", "delta_ms", "batch", "created_at")
    rows = (
        sa.select(
            _debts.c.tenant_id,
            _debts.c.public_id,
            _debts.c.entry_id,
            _projects.c.organization_id,
            _debts.c.work_item_id,
            _debts.c.delta_ms,
            batch,
            _debts.c.created_at,
        )
        .join(_projects, sa.and_(_projects.c.tenant_id == _debts.c.tenant_id, _projects.c.id == _debts.c.project_id))
        .order_by(_debts.c.id)
    )
    op.execute(_changes.insert().inline().from_select(list(names), rows, include_defaults=False))


def _tenants_that_owe() -> list[Any]:
    some = sa.exists().where(_changes.c.tenant_id == _tenants.c.id)
    return list(op.get_bind().execute(sa.select(_tenants.c.id, _tenants.c.public_id).where(some)))


def _add_differences(tenant_id: int) -> None:
    """What changed while the write-back was off, and so was never owed: the changes of an entry add up to its time."""
    counted = sa.select(
        _changes.c.entry_id, _changes.c.organization_id, _changes.c.work_item_id, (-_changes.c.delta_ms).label("ms")
    ).where(_changes.c.tenant_id == tenant_id)
    counts = sa.exists().where(_changes.c.tenant_id == tenant_id, _changes.c.entry_id == _entries.c.public_id)
    worked = (
        sa.select(
            _entries.c.public_id.label("entry_id"),
            _projects.c.organization_id,
            _entries.c.work_item_id,
            _entries.c.elapsed_ms.label("ms"),
        )
        .join(_projects, sa.and_(_projects.c.tenant_id == tenant_id, _projects.c.id == _entries.c.project_id))
        .where(_entries.c.tenant_id == tenant_id, counts)
    )
    both = sa.union_all(counted, worked).subquery("both_sides")
    where = (both.c.entry_id, both.c.organization_id, both.c.work_item_id)
    total = sa.func.sum(both.c.ms)
    now = clock.now()
    rows = [
        {
            "tenant_id": tenant_id,
            "public_id": uuid.uuid5(row.entry_id, f"migrated/{row.organization_id}/{row.work_item_id}"),
            "entry_id": row.entry_id,
            "organization_id": row.organization_id,
            "work_item_id": row.work_item_id,
            "delta_ms": int(row.total),
            "created_at": now,
        }
        for row in op.get_bind().execute(
            sa.select(*where, total.label("total")).group_by(*where).having(total != 0).order_by(*where)
        )
    ]
    _insert(_changes, rows)


def _add_items(tenant_id: int, public_id: uuid.UUID) -> None:
    """A work item of each change, with what was written to it, and its writes whose outcome nobody knows."""
    written, opened, now = _written(tenant_id), _open_writes(tenant_id), clock.now()
    where = (_changes.c.organization_id, _changes.c.work_item_id)
    in_field = sa.func.sum(sa.case((_changes.c.batch == 1, _changes.c.delta_ms), else_=0))
    waiting = sa.func.sum(sa.case((_changes.c.batch.is_(None), 1), else_=0))
    sums = sa.select(*where, in_field.label("target"), waiting.label("waiting"))
    rows = []
    for row in op.get_bind().execute(sums.where(_changes.c.tenant_id == tenant_id).group_by(*where)):
        item = (row.organization_id, row.work_item_id)
        put, target = written.get(item, Decimal(0)), int(row.target)
        left = put - (Decimal(target) / _MS_PER_HOUR).quantize(_PLACES)
        short = left if left >= _SHORT else Decimal(0)  # a write that was cut at 0 counted as a whole one
        state = "pending" if row.waiting or opened[item] else "short" if short else "done"
        rows.append(
            {
                "tenant_id": tenant_id,
                "organization_id": row.organization_id,
                "work_item_id": row.work_item_id,
                "public_id": uuid.uuid5(public_id, f"{row.organization_id}/{row.work_item_id}"),
                "target_ms": target,
                "written": put,
                "migrated": put,
                "lowest": put if short else Decimal(0),
                "short": short,
                "short_batch": 1 if short else None,
                "last_batch": 1,
                "settled_batch": 1,
                "last_attempt": len(opened[item]),
                "remaining_taken": Decimal(0),
                "state": state,
                "reason": {"pending": "not_sent", "short": "short"}.get(state),
                "updated_at": now,
            }
        )
    _insert(_items, rows)
    _insert(_attempts, list(_attempts_of(tenant_id, opened, now)))


def _written(tenant_id: int) -> dict[tuple[int, int], Decimal]:
    where = (_projects.c.organization_id, _debts.c.work_item_id)
    moved = sa.func.sum(_debts.c.hours_after - _debts.c.hours_before, type_=_hours)
    rows = sa.select(*where, moved.label("moved")).select_from(_debts)
    rows = rows.join(_projects, sa.and_(_projects.c.tenant_id == tenant_id, _projects.c.id == _debts.c.project_id))
    rows = rows.where(_debts.c.tenant_id == tenant_id, _debts.c.state == "done").group_by(*where)
    return {(org, item): moved for org, item, moved in op.get_bind().execute(rows) if moved is not None}


def _open_writes(tenant_id: int) -> defaultdict[tuple[int, int], list[sa.Row[Any]]]:
    rows = sa.select(_debts, _projects.c.organization_id)
    rows = rows.join(_projects, sa.and_(_projects.c.tenant_id == tenant_id, _projects.c.id == _debts.c.project_id))
    rows = rows.where(
        _debts.c.tenant_id == tenant_id, _debts.c.state != "done", _debts.c.pinned_revision.is_not(None)
    ).order_by(_debts.c.id)
    found = defaultdict[tuple[int, int], list[sa.Row[Any]]](list)
    for row in op.get_bind().execute(rows):
        found[row.organization_id, row.work_item_id].append(row)
    return found


def _attempts_of(
    tenant_id: int, opened: dict[tuple[int, int], list[sa.Row[Any]]], now: dt.datetime
) -> Iterator[dict[str, Any]]:
    places = sa.select(_items.c.id, _items.c.organization_id, _items.c.work_item_id)
    ids = {
        (row.organization_id, row.work_item_id): row.id
        for row in op.get_bind().execute(places.where(_items.c.tenant_id == tenant_id))
    }
    for item, rows in opened.items():
        for number, row in enumerate(rows, 1):
            yield {
                "tenant_id": tenant_id,
                "item_id": ids[item],
                "number": number,
                "revision": row.pinned_revision,
                "hours_before": row.hours_before,
                "hours_after": row.hours_after,
                "short_after": _cut_off(row),
                "batch": 0,
                "legacy_mark": row.public_id,
                "state": "open",
                "created_at": now,
            }


def _cut_off(row: Any) -> Decimal:  # noqa: ANN401 - a row
    """Hours that a write does not take because it ends at 0."""
    whole = row.hours_before + (Decimal(row.delta_ms) / _MS_PER_HOUR).quantize(_PLACES)
    left = row.hours_after - whole
    return left if left >= _SHORT else Decimal(0)


def _insert(table: sa.TableClause, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _AT_ONCE):
        op.get_bind().execute(table.insert(), rows[start : start + _AT_ONCE])


def _require_no_open_attempt() -> None:
    if op.get_bind().execute(sa.select(_attempts.c.id).where(_attempts.c.state == "open").limit(1)).first():
        raise RuntimeError("a write to Azure DevOps has an unknown outcome: ask for its entries before going back")


def _copy_back() -> None:
    of_entry = (_log.c.tenant_id == _changes.c.tenant_id, _log.c.timer_id == _changes.c.entry_id)
    of_org = (
        _projects.c.tenant_id == _changes.c.tenant_id,
        _projects.c.organization_id == _changes.c.organization_id,
    )
    logged = (
        sa.select(sa.func.min(_log.c.project_id))
        .join(_projects, _projects.c.id == _log.c.project_id)
        .where(*of_entry, *of_org, _log.c.work_item_id == _changes.c.work_item_id)
    )
    anyone = sa.select(sa.func.min(_projects.c.id)).where(*of_org)
    user = sa.select(sa.func.min(_log.c.user_id)).where(*of_entry)
    same = sa.and_(
        _items.c.tenant_id == _changes.c.tenant_id,
        _items.c.organization_id == _changes.c.organization_id,
        _items.c.work_item_id == _changes.c.work_item_id,
    )
    done = sa.case((_changes.c.batch <= _items.c.settled_batch, "done"), else_="pending")
    rows = (
        sa.select(
            _changes.c.tenant_id,
            user.correlate(_changes).scalar_subquery(),
            _changes.c.public_id,
            _changes.c.entry_id,
            sa.func.coalesce(
                logged.correlate(_changes).scalar_subquery(), anyone.correlate(_changes).scalar_subquery()
            ),
            _changes.c.work_item_id,
            _changes.c.delta_ms,
            done,
            _changes.c.created_at,
            _changes.c.created_at,
        )
        .select_from(_changes)
        .outerjoin(_items, same)
        .where(_changes.c.delta_ms != 0)
        .order_by(_changes.c.id)
    )
    names = ("tenant_id", "user_id", "public_id", "entry_id", "project_id", "work_item_id", "delta_ms", "state")
    columns = [*names, "created_at", "updated_at"]
    op.execute(_debts.insert().inline().from_select(columns, rows, include_defaults=False))


def _make_debts() -> None:
    op.create_table(
        "write_backs",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("work_item_id", sa.BigInteger(), nullable=False),
        sa.Column("delta_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.Unicode(length=400), nullable=True),
        sa.Column("pinned_revision", sa.Integer(), nullable=True),
        sa.Column("hours_before", types.Hours(), nullable=True),
        sa.Column("hours_after", types.Hours(), nullable=True),
        sa.Column("claimed_until", types.UtcDateTime(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("state IN ('pending', 'done', 'failed')", name=op.f("ck_write_backs_state")),
        sa.CheckConstraint("delta_ms <> 0", name=op.f("ck_write_backs_delta_ms")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "project_id"],
            ["projects.tenant_id", "projects.id"],
            name=op.f("fk_write_backs_tenant_id_project_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name=op.f("fk_write_backs_tenant_id_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_write_backs")),
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_write_backs_tenant_id_public_id")),
    )
    with op.batch_alter_table("write_backs", schema=None) as batch_op:
        batch_op.create_index("ix_write_backs_entry", ["tenant_id", "entry_id"], unique=False)


def _make() -> None:
    op.create_table(
        "write_back_changes",
        sa.Column("id", types.BigId, sa.Identity(always=False), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("work_item_id", sa.BigInteger(), nullable=False),
        sa.Column("delta_ms", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "organization_id"],
            ["organizations.tenant_id", "organizations.id"],
            name=op.f("fk_write_back_changes_tenant_id_organization_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_write_back_changes")),
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_write_back_changes_tenant_id_public_id")),
    )
    op.create_index(
        "ix_write_back_changes_open",
        "write_back_changes",
        ["tenant_id", "entry_id"],
        unique=False,
        mssql_where=sa.text("batch IS NULL"),
        postgresql_where=sa.text("batch IS NULL"),
        sqlite_where=sa.text("batch IS NULL"),
    )
    op.create_index("ix_write_back_changes_entry", "write_back_changes", ["tenant_id", "entry_id"], unique=False)
    op.create_index(
        "ix_write_back_changes_item",
        "write_back_changes",
        ["tenant_id", "organization_id", "work_item_id", "batch"],
        unique=False,
    )
    op.create_table(
        "write_back_items",
        sa.Column("id", types.BigId, sa.Identity(always=False), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("work_item_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("target_ms", sa.BigInteger(), nullable=False),
        sa.Column("written", types.Hours(), nullable=False),
        sa.Column("migrated", types.Hours(), nullable=True),
        sa.Column("lowest", types.Hours(), nullable=False),
        sa.Column("short", types.Hours(), nullable=False),
        sa.Column("short_batch", sa.Integer(), nullable=True),
        sa.Column("last_batch", sa.Integer(), nullable=False),
        sa.Column("settled_batch", sa.Integer(), nullable=False),
        sa.Column("last_attempt", sa.Integer(), nullable=False),
        sa.Column("last_revision", sa.Integer(), nullable=True),
        sa.Column("last_seen", types.Hours(), nullable=True),
        sa.Column("remaining_taken", types.Hours(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("claim_id", sa.Uuid(), nullable=True),
        sa.Column("claimed_until", types.UtcDateTime(), nullable=True),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'done', 'failed', 'short', 'noField')", name=op.f("ck_write_back_items_state")
        ),
        sa.CheckConstraint("settled_batch <= last_batch", name=op.f("ck_write_back_items_settled_batch")),
        sa.CheckConstraint("short >= 0", name=op.f("ck_write_back_items_short")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "organization_id"],
            ["organizations.tenant_id", "organizations.id"],
            name=op.f("fk_write_back_items_tenant_id_organization_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_write_back_items")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_write_back_items_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id",
            "organization_id",
            "work_item_id",
            name=op.f("uq_write_back_items_tenant_id_organization_id_work_item_id"),
        ),
    )
    op.create_index(
        "ix_write_back_items_open",
        "write_back_items",
        ["tenant_id", "state"],
        unique=False,
        mssql_where=sa.text("state <> 'done'"),
        postgresql_where=sa.text("state <> 'done'"),
        sqlite_where=sa.text("state <> 'done'"),
    )
    op.create_table(
        "write_back_attempts",
        sa.Column("id", types.BigId, sa.Identity(always=False), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("hours_before", types.Hours(), nullable=False),
        sa.Column("hours_after", types.Hours(), nullable=False),
        sa.Column("remaining_before", types.Hours(), nullable=True),
        sa.Column("remaining_after", types.Hours(), nullable=True),
        sa.Column("short_after", types.Hours(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("legacy_mark", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("state IN ('open', 'landed', 'lost')", name=op.f("ck_write_back_attempts_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "item_id"],
            ["write_back_items.tenant_id", "write_back_items.id"],
            name=op.f("fk_write_back_attempts_tenant_id_item_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_write_back_attempts")),
        sa.UniqueConstraint(
            "tenant_id", "item_id", "number", name=op.f("uq_write_back_attempts_tenant_id_item_id_number")
        ),
    )
    op.create_index(
        "ux_write_back_attempts_open",
        "write_back_attempts",
        ["tenant_id", "item_id"],
        unique=True,
        mssql_where=sa.text("state = 'open' AND legacy_mark IS NULL"),
        postgresql_where=sa.text("state = 'open' AND legacy_mark IS NULL"),
        sqlite_where=sa.text("state = 'open' AND legacy_mark IS NULL"),
    )
