"""Tracked time: organizations and their projects, running timers, entries with their days, and the log."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, String, Unicode, Uuid
from sqlalchemy import ForeignKeyConstraint as ForeignKey
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata, of_organization, of_project, of_user, tenant_id
from shared.db.types import Day, Hours, UtcDateTime, choice, identity, only_where


# The tenant's Azure DevOps organizations. Work items have a number, and projects a name, within an organization.
organizations = sa.Table(
    "organizations",
    metadata,
    identity(),
    tenant_id(),
    Column("public_id", Uuid, nullable=False),
    Column("name", String(50), nullable=False),
    Column("name_key", String(50), nullable=False),  # in lower case
    Column("is_active", Boolean, nullable=False),  # starts and write-backs need an active one
    Column("created_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    Unique("tenant_id", "id"),
    Unique("tenant_id", "public_id"),
    Unique("tenant_id", "name_key"),
)

projects = sa.Table(
    "projects",
    metadata,
    identity(),
    tenant_id(),
    Column("public_id", Uuid, nullable=False),
    Column("organization_id", BigInteger, nullable=False),
    Column("organization", String(50), nullable=False),
    Column("name", Unicode(64), nullable=False),
    Column("name_key", Unicode(256), nullable=False),  # timers.projects.store.project_key
    Column("alias_of", BigInteger),  # the project that it counts as, never an alias itself
    Column("joined_to", BigInteger),  # the project that it was joined with; `alias_of` is the final one
    PrimaryKey("id"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    of_organization(),
    ForeignKey(
        ["tenant_id", "organization_id", "alias_of"],
        ["projects.tenant_id", "projects.organization_id", "projects.id"],
    ),
    ForeignKey(
        ["tenant_id", "organization_id", "joined_to"],
        ["projects.tenant_id", "projects.organization_id", "projects.id"],
    ),
    Unique("tenant_id", "id"),
    Unique("tenant_id", "public_id"),
    Unique("tenant_id", "name_key"),
    Unique("tenant_id", "organization_id", "id"),
    CheckConstraint(
        "(alias_of IS NULL AND joined_to IS NULL)"
        " OR (alias_of IS NOT NULL AND joined_to IS NOT NULL AND alias_of <> id AND joined_to <> id)",
        name="alias_of",
    ),
)

running_timers = sa.Table(
    "running_timers",
    metadata,
    identity(),
    tenant_id(),
    Column("user_id", BigInteger, nullable=False),
    Column("public_id", Uuid, nullable=False),
    Column("organization_id", BigInteger, nullable=False),  # as in projects, so that a stop needs no join
    Column("project_id", BigInteger, nullable=False),
    Column("organization", String(50), nullable=False),  # likewise
    Column("project", Unicode(64), nullable=False),
    Column("work_item_id", BigInteger, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("existing_hours", Hours),
    Column("note", Unicode(400)),
    PrimaryKey("id"),
    of_user(),
    of_organization(),
    of_project(),
    Unique("tenant_id", "user_id"),  # at most one running timer per user
)

time_entries = sa.Table(
    "time_entries",
    metadata,
    identity(),
    tenant_id(),
    Column("user_id", BigInteger, nullable=False),
    Column("public_id", Uuid, nullable=False),
    Column("project_id", BigInteger, nullable=False),
    Column("work_item_id", BigInteger, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("stopped_at", UtcDateTime, nullable=False),
    Column("elapsed_ms", BigInteger, nullable=False),
    Column("time_zone", String(64), nullable=False),  # at the stop; it determines the days
    Column("existing_hours", Hours),
    Column("note", Unicode(400)),
    *choice("source", "timer", "manual", "autoStopped"),
    Column("needs_review", Boolean, nullable=False),
    Column("end_inferred", Boolean, nullable=False, server_default=sa.false()),  # the end is inferred, not confirmed
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    of_user(),
    of_project(),
    Unique("tenant_id", "id"),
    Unique("tenant_id", "public_id"),  # the timer's id: a timer ends at most once
    CheckConstraint("elapsed_ms >= 0", name="elapsed_ms"),
)
# Lists are ordered by start and id, and a page starts at such a pair, so that no query reads or sorts other rows.
_LISTED = (time_entries.c.started_at, time_entries.c.public_id)
Index("ix_time_entries_tenant", time_entries.c.tenant_id, *_LISTED)
Index("ix_time_entries_user", time_entries.c.tenant_id, time_entries.c.user_id, *_LISTED)
Index("ix_time_entries_changed", time_entries.c.tenant_id, time_entries.c.updated_at, time_entries.c.public_id)
# Entries of timers are found among all, since nearly all are such; they do not pay for this index.
Index(
    "ix_time_entries_source",
    time_entries.c.tenant_id,
    time_entries.c.source,
    *_LISTED,
    **only_where(time_entries.c.source != "timer"),
)
Index("ix_time_entries_item", time_entries.c.tenant_id, time_entries.c.work_item_id, *_LISTED)
Index("ix_time_entries_overlap", time_entries.c.tenant_id, time_entries.c.user_id, time_entries.c.stopped_at)

Index(
    "ix_time_entries_review",
    time_entries.c.tenant_id,
    time_entries.c.user_id,
    **only_where(time_entries.c.needs_review == sa.true()),
)

time_entry_days = sa.Table(
    "time_entry_days",
    metadata,
    tenant_id(),
    Column("entry_id", BigInteger, nullable=False, autoincrement=False),
    Column("work_date", Day, nullable=False),
    Column("month_key", Integer, nullable=False),  # yyyymm of the work date
    Column("user_id", BigInteger, nullable=False),
    Column("project_id", BigInteger, nullable=False),
    Column("work_item_id", BigInteger, nullable=False),
    Column("elapsed_ms", BigInteger, nullable=False),
    Column("starts_entry", Integer, nullable=False),  # 1 on the entry's first day, to count entries without DISTINCT
    PrimaryKey("entry_id", "work_date"),
    ForeignKey(["tenant_id", "entry_id"], ["time_entries.tenant_id", "time_entries.id"]),
    CheckConstraint("elapsed_ms >= 0", name="elapsed_ms"),
)
# A report reads one range of this index, which has all summed columns in the order of days and projects.
Index(
    "ix_time_entry_days_report",
    *(
        time_entry_days.c[name]
        for name in (
            "tenant_id",
            "month_key",
            "work_date",
            "project_id",
            "user_id",
            "work_item_id",
            "elapsed_ms",
            "starts_entry",
        )
    ),
)
