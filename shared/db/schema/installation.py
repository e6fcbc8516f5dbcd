"""This installation: how far it has acted outward, and what a store outside the database has not been told yet."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Integer, String, Uuid
from sqlalchemy import ForeignKeyConstraint as ForeignKey
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata, tenant_id
from shared.db.types import UtcDateTime, choice, identity


# One row, made by its migration: a copy of the database has the same id, and a mark that is left behind.
installation = sa.Table(
    "installation",
    metadata,
    Column("id", Integer, nullable=False, autoincrement=False),
    Column("public_id", Uuid, nullable=False),
    Column("mark", BigInteger, nullable=False),  # rises before and after each job that acts outward or removes
    Column("epoch", Integer, nullable=False),  # how many restores were accepted
    Column("moved_at", UtcDateTime),  # when the mark rose last
    Column("held_since", UtcDateTime),
    Column("held_reason", String(16)),
    Column("restored_to", UtcDateTime),  # of the restore that was accepted last: what it lost is from then on
    Column("accepted_at", UtcDateTime),
    PrimaryKey("id"),
    CheckConstraint("id = 1", name="one_row"),
    CheckConstraint(
        "(held_since IS NULL AND held_reason IS NULL)"
        " OR (held_since IS NOT NULL AND held_reason IN ('behind', 'begun'))",
        name="held",
    ),
)

# The outbox of the store outside: erasures, and rights that people brought into force or lifted. Rows go once told.
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
