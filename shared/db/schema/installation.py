"""The installation's mark of outward actions, and the outbox of privacy changes for the mark table."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Integer, String, Uuid
from sqlalchemy import ForeignKeyConstraint as ForeignKey
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata, tenant_id
from shared.db.types import UtcDateTime, choice, identity


# One row, created by a migration. A copy of the database has the same id, and an older mark.
installation = sa.Table(
    "installation",
    metadata,
    Column("id", Integer, nullable=False, autoincrement=False),
    Column("public_id", Uuid, nullable=False),
    Column("mark", BigInteger, nullable=False),  # raised before and after each job that acts outward or removes data
    Column("epoch", Integer, nullable=False),  # the number of accepted restores
    Column("moved_at", UtcDateTime),  # the last rise of the mark
    Column("held_since", UtcDateTime),
    Column("held_reason", String(16)),
    Column("restored_to", UtcDateTime),  # of the last accepted restore, which lost later changes
    Column("accepted_at", UtcDateTime),
    PrimaryKey("id"),
    CheckConstraint("id = 1", name="one_row"),
    CheckConstraint(
        "(held_since IS NULL AND held_reason IS NULL)"
        " OR (held_since IS NOT NULL AND held_reason IN ('behind', 'begun'))",
        name="held",
    ),
)

# The outbox of erasures and changed rights for the mark table. Rows are removed when they are copied.
restore_changes = sa.Table(
    "restore_changes",
    metadata,
    identity(),
    tenant_id(),
    Column("public_id", Uuid, nullable=False),
    *choice("kind", "erasure", "restriction", "objection", "consentWithdrawn"),
    Column("subject_id", Uuid, nullable=False),  # the public id of a person, or of the tenant itself
    Column("in_force", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    Unique("tenant_id", "kind", "public_id"),
)
