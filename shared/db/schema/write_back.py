"""The write-back ledger: hours of entries on work items, hours written to Completed Work, and the attempts."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, String, Uuid
from sqlalchemy import ForeignKeyConstraint as ForeignKey
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata, of_organization, tenant_id
from shared.db.types import Hours, UtcDateTime, choice, identity, only_where


# One row per change of an entry's time on a work item. Append-only except for `batch` and `held`. The rows of an
# entry add up to its time, and only the entry's own transaction writes them.
write_back_changes = sa.Table(
    "write_back_changes",
    metadata,
    identity(),
    tenant_id(),
    Column("public_id", Uuid, nullable=False),  # from the entry's version and the item, so no version counts twice
    Column("entry_id", Uuid, nullable=False),  # the entry's public id; the entry may be deleted
    Column("organization_id", BigInteger, nullable=False),
    Column("work_item_id", BigInteger, nullable=False),
    Column("delta_ms", BigInteger, nullable=False),
    Column("held", Boolean, nullable=False, server_default=sa.false()),  # not used yet: such rows stay pending
    Column("batch", Integer),  # the item's batch that added it to the target; NULL: pending
    Column("created_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    of_organization(),
    Unique("tenant_id", "public_id"),
)
_changes = write_back_changes.c
Index("ix_write_back_changes_entry", _changes.tenant_id, _changes.entry_id)
Index("ix_write_back_changes_item", _changes.tenant_id, _changes.organization_id, _changes.work_item_id, _changes.batch)
Index("ix_write_back_changes_open", _changes.tenant_id, _changes.entry_id, **only_where(_changes.batch.is_(None)))

# One row per work item with a write-back; changed only by the process with its claim.
write_back_items = sa.Table(
    "write_back_items",
    metadata,
    identity(),
    tenant_id(),
    Column("organization_id", BigInteger, nullable=False),
    Column("work_item_id", BigInteger, nullable=False),
    Column("public_id", Uuid, nullable=False),  # the first part of each write's mark in the work item's history
    Column("target_ms", BigInteger, nullable=False),  # the sum of all changes with a batch
    Column("written", Hours, nullable=False),  # the effect of all writes on the field, as returned by Azure DevOps
    Column("migrated", Hours),  # the part from before this table existed
    # `written` when the field reached 0. Hours above it belong to others, so no write goes below it
    Column("lowest", Hours, nullable=False),
    Column("short", Hours, nullable=False),  # the reduction that was not possible, for lists
    Column("short_batch", Integer),  # the first batch with such a reduction
    Column("last_batch", Integer, nullable=False),
    Column("settled_batch", Integer, nullable=False),  # all batches up to it are in the field
    Column("last_attempt", Integer, nullable=False),
    Column("last_revision", Integer),  # after the newest successful write
    Column("last_seen", Hours),  # Completed Work after it
    Column("remaining_taken", Hours, nullable=False),  # the total reduction of Remaining Work
    # The epoch up to which the item's history was searched for writes that a restore lost
    Column("checked_epoch", Integer, nullable=False, server_default="0"),
    *choice("state", "pending", "done", "failed", "short", "noField"),
    Column("reason", String(64)),  # the code of a failure
    Column("claim_id", Uuid),  # of the process that writes it now
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

# An attempt to write Completed Work, stored before it is sent: it becomes the revision after `revision`, or fails.
write_back_attempts = sa.Table(
    "write_back_attempts",
    metadata,
    identity(),
    tenant_id(),
    Column("item_id", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),  # the last part of its mark
    Column("revision", Integer, nullable=False),
    Column("hours_before", Hours, nullable=False),
    Column("hours_after", Hours, nullable=False),
    Column("remaining_before", Hours),  # NULL if Remaining Work is not changed
    Column("remaining_after", Hours),
    Column("short_after", Hours, nullable=False),  # the total impossible reduction after its success
    Column("batch", Integer, nullable=False),  # the last batch of its hours
    Column("legacy_mark", Uuid),  # of a write from before this table existed
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
