"""Bills: a record per subscription and month, a line per active user, and the usage events for the Marketplace."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, String, Unicode, Uuid
from sqlalchemy import ForeignKeyConstraint as ForeignKey
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata, of_user, tenant_id
from shared.db.schema.subscriptions import of_subscription
from shared.db.types import Day, Money, UtcDateTime, choice, identity, only_where


# A closed record never changes. A wrong one is voided, may be replaced, and is stored forever.
billing_records = sa.Table(
    "billing_records",
    metadata,
    identity(),
    tenant_id(),
    Column("public_id", Uuid, nullable=False),
    Column("subscription_id", BigInteger, nullable=False),
    Column("month_key", Integer, nullable=False),  # yyyymm, in the zone of the record
    *choice("kind", "month", "final"),  # final: the subscription ended in this month
    *choice("state", "closed", "void"),
    Column("period_from", UtcDateTime, nullable=False),  # the period is half-open: from this instant
    Column("period_to", UtcDateTime, nullable=False),  # to before this one
    Column("time_zone", String(64), nullable=False),  # the tenant's at the start of the period
    Column("marketplace_id", Uuid),
    Column("plan_id", Unicode(100), nullable=False),
    Column("quantity", Integer),
    Column("active_users", Integer, nullable=False),
    Column("included_users", Integer, nullable=False, server_default="0"),  # users covered by the fee
    Column("rate_per_user", Money),  # NULL, like the currency, if the price could not be read
    Column("rate_unit", String(16), nullable=False, server_default="P1M"),  # the term that the rate pays for
    Column("currency", String(3)),
    Column("minor_unit", Money),  # of the currency; the total is rounded to it
    Column("total", Money),  # NULL if the rate is unknown, or not per month
    Column("last_event_type", Unicode(64)),
    Column("last_operation_id", Uuid),
    Column("replaces_id", BigInteger),
    Column("closed_at", UtcDateTime, nullable=False),
    Column("voided_at", UtcDateTime),
    Column("void_reason", Unicode(400)),
    PrimaryKey("id"),
    of_subscription(),
    ForeignKey(["tenant_id", "replaces_id"], ["billing_records.tenant_id", "billing_records.id"]),
    Unique("tenant_id", "id"),
    Unique("tenant_id", "public_id"),
    CheckConstraint("period_from <= period_to", name="period"),
    CheckConstraint("active_users >= 0", name="active_users"),
    CheckConstraint("included_users >= 0 AND included_users <= active_users", name="included_users"),
    CheckConstraint("minor_unit > 0", name="minor_unit"),
    # half up to the minor unit, to the cent: total - users x rate lies in (-unit/2, unit/2]
    CheckConstraint(
        "2 * (total - (active_users - included_users) * rate_per_user) > -minor_unit"
        " AND 2 * (total - (active_users - included_users) * rate_per_user) <= minor_unit",
        name="total",
    ),
    CheckConstraint(
        "(rate_per_user IS NULL AND currency IS NULL AND minor_unit IS NULL AND total IS NULL)"
        " OR (rate_per_user IS NOT NULL AND currency IS NOT NULL AND minor_unit IS NOT NULL"
        " AND (total IS NOT NULL OR rate_unit <> 'P1M'))",
        name="rate_per_user",
    ),
    CheckConstraint(
        "(state = 'void' AND voided_at IS NOT NULL) OR (state <> 'void' AND voided_at IS NULL)", name="voided_at"
    ),
)
Index(
    "ux_billing_records_month",
    billing_records.c.tenant_id,
    billing_records.c.subscription_id,
    billing_records.c.month_key,
    unique=True,
    **only_where(billing_records.c.state == "closed"),
)
# Bills without a price; nearly always none.
Index(
    "ix_billing_records_unpriced",
    billing_records.c.tenant_id,
    billing_records.c.id,
    **only_where(sa.and_(billing_records.c.rate_per_user.is_(None), billing_records.c.state == "closed")),
)
# The end of the last billed period of each subscription, including void records: the next month starts there.
Index(
    "ix_billing_records_billed_to",
    *(billing_records.c[name] for name in ("tenant_id", "subscription_id", "month_key", "period_to")),
)
Index(
    "ux_billing_records_replaces_id",
    billing_records.c.tenant_id,
    billing_records.c.replaces_id,
    unique=True,
    **only_where(billing_records.c.replaces_id.is_not(None)),
)

# `activity_month` is the record's month, or an earlier one whose time was entered after it was closed.
billing_lines = sa.Table(
    "billing_lines",
    metadata,
    tenant_id(),
    Column("record_id", BigInteger, nullable=False, autoincrement=False),
    Column("user_id", BigInteger, nullable=False, autoincrement=False),
    Column("activity_month", Integer, nullable=False, autoincrement=False),
    Column("email", Unicode(320), nullable=False),
    Column("display_name", Unicode(200), nullable=False),
    *choice("reason", "signIn", "time"),
    Column("first_activity_at", UtcDateTime, nullable=False),
    Column("last_activity_at", UtcDateTime, nullable=False),
    Column("is_void", Boolean, nullable=False, server_default=sa.false()),  # as its record
    PrimaryKey("record_id", "user_id", "activity_month"),
    ForeignKey(["tenant_id", "record_id"], ["billing_records.tenant_id", "billing_records.id"]),
    of_user(),
)
# No user is billed twice for a month of a tenant, with any number of subscriptions.
Index(
    "ux_billing_lines_once",
    billing_lines.c.tenant_id,
    billing_lines.c.activity_month,
    billing_lines.c.user_id,
    unique=True,
    **only_where(billing_lines.c.is_void == sa.false()),
)

# The outbox of usage events for the Marketplace's meter. A slot never changes, so a repeat is a duplicate there.
usage_events = sa.Table(
    "usage_events",
    metadata,
    identity(),
    tenant_id(),
    Column("record_id", BigInteger, nullable=False),
    Column("marketplace_id", Uuid, nullable=False),
    Column("dimension", String(64), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("plan_id", Unicode(100), nullable=False),
    Column("slot", UtcDateTime, nullable=False),  # the reported hour
    *choice("state", "pending", "accepted", "held", "alarm"),
    Column("last_result", String(40)),  # the Marketplace's status, or ours without one
    Column("attempts", Integer, nullable=False),
    Column("usage_event_id", Uuid),  # the Marketplace's
    Column("claimed_until", UtcDateTime),  # one sender at a time
    Column("created_at", UtcDateTime, nullable=False),
    Column("tried_at", UtcDateTime),
    Column("settled_at", UtcDateTime),
    PrimaryKey("id"),
    ForeignKey(["tenant_id", "record_id"], ["billing_records.tenant_id", "billing_records.id"]),
    Unique("tenant_id", "record_id"),
    Unique("marketplace_id", "dimension", "slot"),
    CheckConstraint("quantity > 0", name="quantity"),
)
Index(
    "ix_usage_events_open",
    usage_events.c.tenant_id,
    usage_events.c.id,
    **only_where(usage_events.c.state.in_(("pending", "held"))),
)
# Late events are looked up every hour, and nearly all events were accepted long ago.
Index("ix_usage_events_not_accepted", usage_events.c.slot, **only_where(usage_events.c.state != "accepted"))

# Usage of the meter without an event here, adopted after a restore; it counts as sent.
adopted_usage = sa.Table(
    "adopted_usage",
    metadata,
    identity(),
    tenant_id(),
    Column("marketplace_id", Uuid, nullable=False),
    Column("dimension", String(64), nullable=False),
    Column("day", Day, nullable=False),  # of UTC, as the meter lists it
    Column("quantity", Integer, nullable=False),
    Column("plan_id", Unicode(100), nullable=False),
    Column("month_key", Integer),  # yyyymm, the month of its bill; NULL if not assigned
    Column("adopted_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    Unique("marketplace_id", "dimension", "day"),
    CheckConstraint("quantity > 0", name="quantity"),
)
