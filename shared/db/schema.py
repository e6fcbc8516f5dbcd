"""Every table, with the keys and checks that hold the product's guarantees."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, String, Unicode, Uuid
from sqlalchemy import ForeignKeyConstraint as ForeignKey
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.types import Day, Hours, UtcDateTime, choice, identity, only_where


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _tenant_id() -> Column[int]:
    return Column("tenant_id", BigInteger, nullable=False)


def _user() -> ForeignKey:
    return ForeignKey(["tenant_id", "user_id"], ["users.tenant_id", "users.id"])


def _project() -> ForeignKey:
    return ForeignKey(["tenant_id", "project_id"], ["projects.tenant_id", "projects.id"])


tenants = sa.Table(
    "tenants",
    metadata,
    identity(),
    Column("public_id", Uuid, nullable=False),
    Column("entra_tenant_id", Uuid, nullable=False),
    Column("slug", String(64), nullable=False),
    Column("name", Unicode(200), nullable=False),
    Column("organization", String(50), nullable=False),
    Column("admin_email", Unicode(320)),
    *choice("plan_kind", "trial", "internal", "paid"),
    *choice("status", "active", "suspended", "cancelled"),
    Column("time_zone", String(64), nullable=False),
    Column("trial_started_at", UtcDateTime),
    Column("trial_ends_at", UtcDateTime),
    Column("seats_used", Integer, nullable=False),
    Column("seat_limit", Integer),
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    Unique("public_id"),
    Unique("entra_tenant_id"),  # one trial per directory, ever
    Unique("slug"),
    CheckConstraint("seats_used >= 0", name="seats_used"),
)

users = sa.Table(
    "users",
    metadata,
    identity(),
    _tenant_id(),
    Column("public_id", Uuid, nullable=False),
    Column("entra_object_id", Uuid),
    Column("email", Unicode(320), nullable=False),
    Column("email_key", Unicode(320)),  # stripped and case-folded; NULL once another person holds the address
    Column("display_name", Unicode(200), nullable=False),
    *choice("role", "user", "admin", "super_admin"),
    *choice("auth_provider", "microsoft", "manual"),
    Column("is_active", Boolean, nullable=False),
    Column("invited_by", BigInteger),
    Column("first_sign_in_at", UtcDateTime),
    Column("last_sign_in_at", UtcDateTime),
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    ForeignKey(["tenant_id", "invited_by"], ["users.tenant_id", "users.id"]),
    Unique("tenant_id", "id"),
    Unique("tenant_id", "public_id"),
)
# SQL Server takes two NULLs for duplicates, so a nullable key is unique over its values only.
Index(
    "ux_users_entra_object_id",
    users.c.tenant_id,
    users.c.entra_object_id,
    unique=True,
    **only_where(users.c.entra_object_id.is_not(None)),
)
Index(
    "ux_users_email_key",
    users.c.tenant_id,
    users.c.email_key,
    unique=True,
    **only_where(users.c.email_key.is_not(None)),
)

projects = sa.Table(
    "projects",
    metadata,
    identity(),
    _tenant_id(),
    Column("organization", String(50), nullable=False),
    Column("name", Unicode(64), nullable=False),
    Column("name_key", Unicode(128), nullable=False),  # organisation and name, case-folded
    PrimaryKey("id"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    Unique("tenant_id", "id"),
    Unique("tenant_id", "name_key"),
)

running_timers = sa.Table(
    "running_timers",
    metadata,
    identity(),
    _tenant_id(),
    Column("user_id", BigInteger, nullable=False),
    Column("public_id", Uuid, nullable=False),
    Column("project_id", BigInteger, nullable=False),
    Column("organization", String(50), nullable=False),  # as in projects: a stop answers without a join
    Column("project", Unicode(64), nullable=False),
    Column("work_item_id", BigInteger, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("existing_hours", Hours),
    Column("note", Unicode(400)),
    PrimaryKey("id"),
    _user(),
    _project(),
    Unique("tenant_id", "user_id"),  # at most one running timer per user
)

time_entries = sa.Table(
    "time_entries",
    metadata,
    identity(),
    _tenant_id(),
    Column("user_id", BigInteger, nullable=False),
    Column("public_id", Uuid, nullable=False),
    Column("project_id", BigInteger, nullable=False),
    Column("work_item_id", BigInteger, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("stopped_at", UtcDateTime, nullable=False),
    Column("elapsed_ms", BigInteger, nullable=False),
    Column("time_zone", String(64), nullable=False),  # the one in force at the stop: it made the days
    Column("existing_hours", Hours),
    Column("note", Unicode(400)),
    *choice("source", "timer", "manual", "autoStopped"),
    Column("needs_review", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    _user(),
    _project(),
    Unique("tenant_id", "id"),
    Unique("tenant_id", "public_id"),  # an entry keeps its timer's id: a timer ends at most once
    CheckConstraint("elapsed_ms >= 0", name="elapsed_ms"),
)
Index("ix_time_entries_user", time_entries.c.tenant_id, time_entries.c.user_id, time_entries.c.started_at)

time_entry_days = sa.Table(
    "time_entry_days",
    metadata,
    _tenant_id(),
    Column("entry_id", BigInteger, nullable=False, autoincrement=False),
    Column("work_date", Day, nullable=False),
    Column("month_key", Integer, nullable=False),  # yyyymm of the work date
    Column("user_id", BigInteger, nullable=False),
    Column("project_id", BigInteger, nullable=False),
    Column("work_item_id", BigInteger, nullable=False),
    Column("elapsed_ms", BigInteger, nullable=False),
    Column("starts_entry", Integer, nullable=False),  # 1 on the entry's first day: entries are counted without DISTINCT
    PrimaryKey("entry_id", "work_date"),
    ForeignKey(["tenant_id", "entry_id"], ["time_entries.tenant_id", "time_entries.id"]),
    CheckConstraint("elapsed_ms >= 0", name="elapsed_ms"),
)
# Every grouping of a month's report is one range of this index, which holds all that a report adds up.
Index(
    "ix_time_entry_days_report",
    *(
        time_entry_days.c[name]
        for name in (
            "tenant_id",
            "month_key",
            "project_id",
            "user_id",
            "work_date",
            "work_item_id",
            "elapsed_ms",
            "starts_entry",
        )
    ),
)

timer_log = sa.Table(
    "timer_log",
    metadata,
    identity(),
    _tenant_id(),
    Column("user_id", BigInteger, nullable=False),
    Column("actor_id", BigInteger),  # who did it; NULL is the service itself
    Column("timer_id", Uuid, nullable=False),
    *choice("event", "started", "stopped", "discarded"),
    Column("happened_at", UtcDateTime, nullable=False),  # the start or stop itself
    Column("received_at", UtcDateTime, nullable=False),  # when we were told
    Column("project_id", BigInteger, nullable=False),
    Column("work_item_id", BigInteger, nullable=False),
    Column("elapsed_ms", BigInteger),
    PrimaryKey("id"),
    _user(),
    _project(),
    Unique("tenant_id", "timer_id", "event"),  # one start, one end
)
Index("ix_timer_log_tenant", timer_log.c.tenant_id, timer_log.c.id)
Index("ix_timer_log_user", timer_log.c.tenant_id, timer_log.c.user_id, timer_log.c.id)

user_months = sa.Table(
    "user_months",
    metadata,
    Column("month_key", Integer, nullable=False, autoincrement=False),
    Column("tenant_id", BigInteger, nullable=False, autoincrement=False),
    Column("user_id", BigInteger, nullable=False, autoincrement=False),
    *choice("first_reason", "signIn", "time"),
    Column("first_activity_at", UtcDateTime, nullable=False),
    PrimaryKey("month_key", "tenant_id", "user_id"),
    _user(),
    sqlite_with_rowid=False,
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    identity(),
    _tenant_id(),
    Column("user_id", BigInteger, nullable=False),
    Column("operation", String(64), nullable=False),
    Column("idempotency_key", String(255), nullable=False),
    Column("fingerprint", String(64), nullable=False),  # SHA-256 of what was asked
    Column("status", Integer, nullable=False),
    Column("headers", sa.JSON, nullable=False),
    Column("body", sa.UnicodeText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    _user(),
    Unique("tenant_id", "user_id", "operation", "idempotency_key", name="uq_idempotency_keys_request"),
)
Index("ix_idempotency_keys_age", idempotency_keys.c.tenant_id, idempotency_keys.c.created_at)
