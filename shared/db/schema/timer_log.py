"""The timer log: every start, stop, entry by hand, correction and removal. It is only ever added to."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Unicode, Uuid
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata, of_project, of_user, tenant_id
from shared.db.types import UtcDateTime, choice, identity


timer_log = sa.Table(
    "timer_log",
    metadata,
    identity(),
    tenant_id(),
    Column("user_id", BigInteger, nullable=False),
    Column("actor_id", BigInteger),  # who did it; NULL is the service itself
    Column("timer_id", Uuid, nullable=False),  # an entry keeps its timer's id, so this names the entry too
    *choice("event", "started", "stopped", "discarded", "entered", "corrected", "confirmed", "deleted"),
    Column("entry_version", Integer, nullable=False, server_default=sa.text("0")),  # that the event made; 0 is none
    Column("happened_at", UtcDateTime, nullable=False),  # the start or stop itself
    Column("received_at", UtcDateTime, nullable=False),  # when we were told
    Column("reported_late", Boolean, nullable=False, server_default=sa.false()),  # the client said when it was
    Column("project_id", BigInteger, nullable=False),
    Column("work_item_id", BigInteger, nullable=False),
    Column("elapsed_ms", BigInteger),
    Column("reason", Unicode(400)),
    Column("is_adjustment", Boolean, nullable=False, server_default=sa.false()),  # of a month that was closed
    Column("before_change", sa.JSON(none_as_null=True)),  # the whole version of the entry that this one replaced
    Column("after_change", sa.JSON(none_as_null=True)),
    PrimaryKey("id"),
    of_user(),
    of_project(),
    Unique("tenant_id", "timer_id", "event", "entry_version"),  # one start, one end, one of each version
)
Index("ix_timer_log_tenant", timer_log.c.tenant_id, timer_log.c.id)
Index("ix_timer_log_user", timer_log.c.tenant_id, timer_log.c.user_id, timer_log.c.id)
