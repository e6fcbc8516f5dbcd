"""The write-back ledger: what entries add to work items, what was written to Completed Work, and each attempt to."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, String, Uuid
from sqlalchemy import ForeignKeyConstraint as ForeignKey
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata, of_organization, tenant_id
from shared.db.types import Hours, UtcDateTime, choice, identity, only_where


# One row for each change of an entry's time on a work item. Only ever added to, but for `batch` and `held`: the rows of
# an entry add up to its time, and nothing but the entry's own transaction writes them.
write_back_changes = sa.Table(
    "write_back_changes",
    metadata,
    identity(),
    tenant_id(),
    Column("public_id", Uuid, nullable=False),  # of the entry's version and the item: no version is counted twice
    Column("entry_id", Uuid, nullable=False),  # the entry's public id; the entry may be deleted since
    Column("organization_id", BigInteger, nullable=False),
    Column("work_item_id", BigInteger, nullable=False),
    Column("delta_ms", BigInteger, nullable=False),
    Column("held", Boolean, nullable=False, server_default=sa.false()),  # never set yet: such rows wait
    Column("batch", Integer),  # with which of the item's batches it went into the target; NULL not yet
    Column("created_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    of_organization(),
    Unique("tenant_id", "public_id"),
)
_changes = write_back_changes.c
Index("ix_write_back_changes_entry", _changes.tenant_id, _changes.entry_id)
Index("ix_write_back_changes_item", _changes.tenant_id, _changes.organization_id, _changes.work_item_id, _changes.batch)
Index("ix_write_back_changes_open", _changes.tenant_id, _changes.entry_id, **only_where(_changes.batch.is_(None)))

# One row for each work item that anything was to be written to; changed by whoever holds its claim, and nobody else.
write_back_items = sa.Table(
    "write_back_items",
    metadata,
    identity(),
    tenant_id(),
    Column("organization_id", BigInteger, nullable=False),
    Column("work_item_id", BigInteger, nullable=False),
    Column("public_id", Uuid, nullable=False),  # begins the mark of each write in the work item's history
    Column("target_ms", BigInteger, nullable=False),  # the sum of all changes that have a batch
    Column("written", Hours, nullable=False),  # what the writes have added to the field, as Azure DevOps showed it
    Column("migrated", Hours),  # the part of it from before there was this table
    # What was written once the field was taken to 0: what is there since is others', so no write goes below it
    Column("lowest", Hours, nullable=False),
    Column("short", Hours, nullable=False),  # what could not be taken away because of that, for lists
    Column("short_batch", Integer),  # the batch that first met it
    Column("last_batch", Integer, nullable=False),
    Column("settled_batch", Integer, nullable=False),  # up to it everything is in the field
    Column("last_attempt", Integer, nullable=False),
    Column("last_revision", Integer),  # after the newest write that landed
    Column("last_seen", Hours),  # Completed Work after it
    Column("remaining_taken", Hours, nullable=False),  # what the writes have lowered Remaining Work by
    # Up to which restore of the database the item's history was looked through for writes that it had forgotten
    Column("checked_epoch", Integer, nullable=False, server_default="0"),
    *choice("state", "pending", "done", "failed", "short", "noField"),
    Column("reason", String(64)),  # why it is not done, as a code
    Column("claim_id", Uuid),  # whose turn it is
    Column("claimed_until", UtcDateTime),
    Column("updated_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    of_organization(),
    Unique("tenant_id", "id"),
    Unique("tenant_id", "organization_id", "work_item_id"),
    CheckConstraint("short >= 0", name="short"),
    CheckConstraint("settled_batch <= last_batch", name="settled_batch"),
)
Index(
    "ix_write_back_items_open",
    write_back_items.c.tenant_id,
    write_back_items.c.state,
    **only_where(write_back_items.c.state != "done"),
)

# A write of Completed Work, put down before it is sent: it is the revision after `revision`, or nothing.
write_back_attempts = sa.Table(
    "write_back_attempts",
    metadata,
    identity(),
    tenant_id(),
    Column("item_id", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),  # ends its mark
    Column("revision", Integer, nullable=False),
    Column("hours_before", Hours, nullable=False),
    Column("hours_after", Hours, nullable=False),
    Column("remaining_before", Hours),  # NULL where Remaining Work is left alone
    Column("remaining_after", Hours),
    Column("short_after", Hours, nullable=False),  # what could not be taken in all, once it has landed
    Column("batch", Integer, nullable=False),  # up to which batch its hours go
    Column("legacy_mark", Uuid),  # of a write from before there was this table
    *choice("state", "open", "landed", "lost"),
    Column("created_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    ForeignKey(["tenant_id", "item_id"], ["write_back_items.tenant_id", "write_back_items.id"]),
    Unique("tenant_id", "item_id", "number"),
)
Index(
    "ux_write_back_attempts_open",
    write_back_attempts.c.tenant_id,
    write_back_attempts.c.item_id,
    unique=True,
    **only_where(sa.and_(write_back_attempts.c.state == "open", write_back_attempts.c.legacy_mark.is_(None))),
)
