"""Tenants, their users, and the months of sign-ins."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, String, Unicode, Uuid
from sqlalchemy import ForeignKeyConstraint as ForeignKey
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata, of_user, tenant_id
from shared.db.types import Money, RandomId, UtcDateTime, choice, identity, only_where


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
    *choice("status", "active", "expired", "suspended", "cancelled"),
    Column("time_zone", String(64), nullable=False),
    Column("trial_started_at", UtcDateTime),
    Column("trial_ends_at", UtcDateTime),
    Column("seats_used", Integer, nullable=False),
    Column("seat_limit", Integer),  # NULL: no limit; 0: no seats
    Column("rate_per_user", Money),
    Column("currency", String(3)),
    Column("rate_unit", String(16)),  # the term that the rate pays for; NULL: a month
    Column("subscription_id", Uuid),  # the Marketplace's
    Column("users_at_purchase", Integer),
    Column("forgotten_timer_limit_ms", BigInteger, nullable=False, server_default=sa.text("43200000")),  # 12 hours
    Column("write_back", Boolean, nullable=False, server_default=sa.false()),  # hours to Completed Work
    Column("lower_remaining_work", Boolean, nullable=False, server_default=sa.false()),  # by the hours written back
    Column("legal_hold_reason", String(32)),  # while set, no data of the tenant is erased or expires
    Column("legal_hold_at", UtcDateTime),
    Column("erased_at", UtcDateTime),  # erased on request, except data for bills
    Column("log_key", Uuid, nullable=False, server_default=RandomId()),  # its partition in Table Storage only
    # For tenants created before log_key: their action log in Table Storage may have rows under the row number.
    Column("has_numbered_log", Boolean, nullable=False, server_default=sa.true()),
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    Unique("public_id"),
    Unique("entra_tenant_id"),  # one trial per directory, ever
    Unique("slug"),
    Unique("log_key"),
    CheckConstraint("seats_used >= 0", name="seats_used"),
    CheckConstraint("seat_limit >= 0", name="seat_limit"),
    CheckConstraint("forgotten_timer_limit_ms > 0", name="forgotten_timer_limit_ms"),
    CheckConstraint(
        "(legal_hold_reason IS NULL AND legal_hold_at IS NULL)"
        " OR (legal_hold_reason IS NOT NULL AND legal_hold_at IS NOT NULL)",
        name="legal_hold",
    ),
)

# The former time zones of a tenant, each until its change: a bill has the zone of the start of its
# period.
tenant_zones = sa.Table(
    "tenant_zones",
    metadata,
    tenant_id(),
    Column("until_at", UtcDateTime, nullable=False),
    Column("time_zone", String(64), nullable=False),
    PrimaryKey("tenant_id", "until_at"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
)

users = sa.Table(
    "users",
    metadata,
    identity(),
    tenant_id(),
    Column("public_id", Uuid, nullable=False),
    Column("entra_object_id", Uuid),
    Column("email", Unicode(320), nullable=False),
    Column("email_key", Unicode(400)),  # the address that claims an open invitation, in lower case; NULL without one
    Column("display_name", Unicode(200), nullable=False),
    Column("directory_name", Unicode(200)),  # from the last sign-in; NULL for guests, and before the first
    *choice("role", "user", "admin", "super_admin"),
    Column("pending_role", String(24)),  # becomes effective when a super admin confirms the person
    *choice("auth_provider", "microsoft", "manual"),
    Column("is_active", Boolean, nullable=False),
    Column("invited_by", BigInteger),
    Column("invitation_ends_at", UtcDateTime),  # of an open invitation
    Column("invited_object_id", Uuid),  # the invited directory object, if the invitation names one
    Column("merged_into", BigInteger),  # the person into whom this unclaimed invitation was merged
    Column("first_sign_in_at", UtcDateTime),
    Column("last_sign_in_at", UtcDateTime),
    # The start of a restriction, an objection or a withdrawn consent. Each stops the processing of the person's data,
    # and deletes none.
    Column("restricted_at", UtcDateTime),
    Column("objected_at", UtcDateTime),
    Column("consent_withdrawn_at", UtcDateTime),
    Column("erased_at", UtcDateTime),
    Column("log_key", Uuid, nullable=False, server_default=RandomId()),  # as the tenant's; not changed by an erasure
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    ForeignKey(["tenant_id", "invited_by"], ["users.tenant_id", "users.id"]),
    ForeignKey(["tenant_id", "merged_into"], ["users.tenant_id", "users.id"]),
    Unique("tenant_id", "id"),
    Unique("tenant_id", "public_id"),
    Unique("tenant_id", "log_key"),
    CheckConstraint("erased_at IS NULL OR (entra_object_id IS NULL AND email_key IS NULL)", name="erased_at"),
    CheckConstraint("pending_role IN ('admin', 'super_admin')", name="pending_role"),
    CheckConstraint(
        "merged_into IS NULL OR (merged_into <> id AND entra_object_id IS NULL AND email_key IS NULL"
        " AND invited_object_id IS NULL)",
        name="merged_into",
    ),
)
# For SQL Server two NULLs are duplicates, so a nullable key is unique over its values only.
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
Index(
    "ux_users_invited_object_id",
    users.c.tenant_id,
    users.c.invited_object_id,
    unique=True,
    **only_where(users.c.invited_object_id.is_not(None)),
)
Index("ix_users_merged_into", users.c.tenant_id, users.c.merged_into, **only_where(users.c.merged_into.is_not(None)))

# The present and former slugs of all tenants. None is reused, so an old slug never leads to another tenant.
slugs = sa.Table(
    "slugs",
    metadata,
    Column("tenant_id", BigInteger, nullable=False, autoincrement=False),
    Column("slug", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    PrimaryKey("tenant_id", "slug"),
    Unique("slug"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
)

# Sign-ins by user and month. Work by month is in time_entry_days, which follows corrections.
user_months = sa.Table(
    "user_months",
    metadata,
    Column("month_key", Integer, nullable=False, autoincrement=False),
    Column("tenant_id", BigInteger, nullable=False, autoincrement=False),
    Column("user_id", BigInteger, nullable=False, autoincrement=False),
    Column("first_sign_in_at", UtcDateTime, nullable=False),
    Column("last_sign_in_at", UtcDateTime, nullable=False),
    Column("first_paid_sign_in_at", UtcDateTime),  # the first on a paid plan, which may cover a part of the month
    Column("last_paid_sign_in_at", UtcDateTime),
    PrimaryKey("month_key", "tenant_id", "user_id"),
    of_user(),
    sqlite_with_rowid=False,
)
