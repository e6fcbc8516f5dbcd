"""Privacy rights: erasure requests and their states, erased people, and nominees."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, String, Unicode, Uuid
from sqlalchemy import ForeignKeyConstraint as ForeignKey
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata, of_user, tenant_id
from shared.db.types import UtcDateTime, choice, identity, only_where


# A reason is a code of a list (privacy/rules.py), since free text could name the person.
privacy_requests = sa.Table(
    "privacy_requests",
    metadata,
    identity(),
    tenant_id(),
    Column("public_id", Uuid, nullable=False),
    *choice("kind", "person", "tenant"),
    Column("subject_user_id", BigInteger),  # NULL: the whole tenant
    *choice("channel", "self", "superAdmin", "operator"),
    Column("requested_by", BigInteger),  # NULL: an operator
    *choice("state", "requested", "verified", "scheduled", "onHold", "done", "withdrawn"),
    Column("hold_reason", String(32)),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("verified_at", UtcDateTime),
    Column("scheduled_for", UtcDateTime),
    Column("ended_at", UtcDateTime),  # completed or withdrawn
    Column("version", Integer, nullable=False),
    PrimaryKey("id"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    ForeignKey(["tenant_id", "subject_user_id"], ["users.tenant_id", "users.id"]),
    ForeignKey(["tenant_id", "requested_by"], ["users.tenant_id", "users.id"]),
    Unique("tenant_id", "public_id"),
    CheckConstraint(
        "(kind = 'person' AND subject_user_id IS NOT NULL) OR (kind = 'tenant' AND subject_user_id IS NULL)",
        name="subject",
    ),
    CheckConstraint(
        "(state = 'onHold' AND hold_reason IS NOT NULL) OR (state <> 'onHold' AND hold_reason IS NULL)",
        name="hold_reason",
    ),
    CheckConstraint("state IN ('requested', 'onHold', 'withdrawn') OR verified_at IS NOT NULL", name="verified_at"),
    CheckConstraint("state <> 'scheduled' OR scheduled_for IS NOT NULL", name="scheduled_for"),
)
_OPEN = ("requested", "verified", "scheduled", "onHold")
Index(
    "ux_privacy_requests_person",
    privacy_requests.c.tenant_id,
    privacy_requests.c.subject_user_id,
    unique=True,
    **only_where(sa.and_(privacy_requests.c.state.in_(_OPEN), privacy_requests.c.subject_user_id.is_not(None))),
)
Index(
    "ux_privacy_requests_tenant",
    privacy_requests.c.tenant_id,
    unique=True,
    **only_where(sa.and_(privacy_requests.c.state.in_(_OPEN), privacy_requests.c.kind == "tenant")),
)

# Erased people by the former id of their account, which no other table has. Also copied to the mark table, since a
# restored database lacks recent erasures.
erasures = sa.Table(
    "erasures",
    metadata,
    identity(),
    tenant_id(),
    Column("subject_id", Uuid, nullable=False),  # of a user, or of the tenant itself
    Column("erased_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    Unique("tenant_id", "subject_id"),
)

# The person who may exercise somebody's rights after them. Read only by an operator after an identity check, recorded.
nominees = sa.Table(
    "nominees",
    metadata,
    tenant_id(),
    Column("user_id", BigInteger, nullable=False, autoincrement=False),
    Column("name", Unicode(200), nullable=False),
    Column("contact", Unicode(320), nullable=False),
    Column("named_at", UtcDateTime, nullable=False),
    PrimaryKey("tenant_id", "user_id"),
    of_user(),
)

# Mentions of a person in others' text that a super admin excluded from the person's erasure.
kept_mentions = sa.Table(
    "kept_mentions",
    metadata,
    identity(),
    tenant_id(),
    Column("subject_user_id", BigInteger, nullable=False),
    Column("table_name", String(32), nullable=False),
    Column("row_id", BigInteger, nullable=False),
    Column("kept_by", BigInteger, nullable=False),
    Column("kept_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    ForeignKey(["tenant_id", "subject_user_id"], ["users.tenant_id", "users.id"]),
    ForeignKey(["tenant_id", "kept_by"], ["users.tenant_id", "users.id"]),
    Unique("tenant_id", "subject_user_id", "table_name", "row_id", name="uq_kept_mentions_place"),
)

# Log rows whose documents were damaged by erasures of earlier versions; listed once, by the migration.
damaged_documents = sa.Table(
    "damaged_documents",
    metadata,
    identity(),
    tenant_id(),
    *choice("table_name", "timer_log", "audit_log"),
    Column("row_id", BigInteger, nullable=False),
    Column("found_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    Unique("tenant_id", "table_name", "row_id", name="uq_damaged_documents_row"),
)
