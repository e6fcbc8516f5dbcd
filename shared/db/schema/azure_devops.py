"""What is shared with Azure DevOps: the work items as last read, and the hours to be written to them."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, String, Unicode, Uuid
from sqlalchemy import ForeignKeyConstraint as ForeignKey
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata, of_organization, of_project, of_user, tenant_id
from shared.db.types import Hours, UtcDateTime, choice, identity


work_items = sa.Table(
    "work_items",
    metadata,
    identity(),
    tenant_id(),
    Column("organization_id", BigInteger, nullable=False),
    Column("organization_key", String(50), nullable=False),  # the organization's, by which the last version looked
    Column("work_item_id", BigInteger, nullable=False),
    Column("type", Unicode(128), nullable=False),
    Column("title", Unicode(400), nullable=False),
    Column("assignee_name", Unicode(256)),
    Column("state", Unicode(128), nullable=False),
    Column("fetched_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    of_organization(),
    Unique("tenant_id", "organization_key", "work_item_id"),
    Unique("tenant_id", "organization_id", "work_item_id"),
)

# One row for each change of an entry's time on a work item: what is owed to Completed Work, and whether it got there.
write_backs = sa.Table(
    "write_backs",
    metadata,
    identity(),
    tenant_id(),
    Column("user_id", BigInteger, nullable=False),
    Column("public_id", Uuid, nullable=False),  # marks the update in the work item's history
    Column("entry_id", Uuid, nullable=False),  # the entry's public id; the entry may be deleted since
    Column("project_id", BigInteger, nullable=False),
    Column("work_item_id", BigInteger, nullable=False),
    Column("delta_ms", BigInteger, nullable=False),
    *choice("state", "pending", "done", "failed"),
    Column("reason", String(64)),  # why it is not done, as a code
    Column("detail", Unicode(400)),  # and in words, for the person
    # The attempt that may have landed: written down before it is sent, settled before another is made.
    Column("pinned_revision", Integer),
    Column("hours_before", Hours),
    Column("hours_after", Hours),
    Column("claimed_until", UtcDateTime),  # one worker at a time
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    of_user(),
    of_project(),
    Unique("tenant_id", "public_id"),
    CheckConstraint("delta_ms <> 0", name="delta_ms"),
)
Index("ix_write_backs_entry", write_backs.c.tenant_id, write_backs.c.entry_id)
