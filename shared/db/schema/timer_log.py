"""The timer log: starts, changes, stops, manual entries, corrections and deletions. Append-only."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Unicode, Uuid
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata, of_project, of_user, tenant_id
from shared.db.types import UtcDateTime, choice, identity, only_where


timer_log = sa.Table(
    "timer_log",
    metadata,
    identity(),
    tenant_id(),
    Column("user_id", BigInteger, nullable=False),
    Column("actor_id", BigInteger),  # the acting user; NULL: the service itself
    Column("timer_id", Uuid, nullable=False),  # also the id of the timer's entry
    *choice("event", "started", "changed", "stopped", "discarded", "entered", "corrected", "confirmed", "deleted"),
    Column("entry_version", Integer, nullable=False, server_default=sa.text("0")),  # created by the event, of a
    # change of a running timer its number; 0: none
    Column("happened_at", UtcDateTime, nullable=False),  # the time of the start or stop; of a change the timer's start
    Column("received_at", UtcDateTime, nullable=False),  # the time of the request
    Column("reported_late", Boolean, nullable=False, server_default=sa.false()),  # a late event, with the client's time
    Column("project_id", BigInteger, nullable=False),
    Column("work_item_id", BigInteger, nullable=False),
    Column("elapsed_ms", BigInteger),
    Column("reason", Unicode(400)),
    Column("is_adjustment", Boolean, nullable=False, server_default=sa.false()),  # a change of a closed month
    Column("before_change", sa.JSON(none_as_null=True)),  # the complete previous version of the entry or timer
    Column("after_change", sa.JSON(none_as_null=True)),
    PrimaryKey("id"),
    of_user(),
    of_project(),
    Unique("tenant_id", "timer_id", "event", "entry_version"),  # one start, one end, one event per version
)
Index("ix_timer_log_tenant", timer_log.c.tenant_id, timer_log.c.id)
# Lists are ordered by the time of the request and the id.
_LISTED = (timer_log.c.received_at, timer_log.c.id)
Index("ix_timer_log_received", timer_log.c.tenant_id, *_LISTED)
Index("ix_timer_log_user", timer_log.c.tenant_id, timer_log.c.user_id, *_LISTED)
# Starts and stops are found among all events, since nearly all are such; they do not pay for this index.
Index(
    "ix_timer_log_event",
    timer_log.c.tenant_id,
    timer_log.c.event,
    *_LISTED,
    **only_where(sa.and_(timer_log.c.event != "started", timer_log.c.event != "stopped")),
)
