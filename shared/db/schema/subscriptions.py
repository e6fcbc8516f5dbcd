"""Subscriptions of a tenant, their events, and the prices over time."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, String, Unicode, Uuid
from sqlalchemy import ForeignKeyConstraint as ForeignKey
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata, tenant_id
from shared.db.types import Money, UtcDateTime, choice, identity, only_where


def of_subscription() -> ForeignKey:
    """The row's subscription belongs to the row's tenant."""
    return ForeignKey(["tenant_id", "subscription_id"], ["subscriptions.tenant_id", "subscriptions.id"])


# A paid plan is always a subscription: bought in the Marketplace, or agreed with the vendor.
subscriptions = sa.Table(
    "subscriptions",
    metadata,
    identity(),
    tenant_id(),
    Column("marketplace_id", Uuid),  # Microsoft's; NULL: a direct agreement
    *choice("status", "pending", "subscribed", "suspended", "unsubscribed"),
    Column("offer_id", Unicode(100), nullable=False),
    Column("plan_id", Unicode(100), nullable=False),
    Column("quantity", Integer),  # of seats; NULL: a plan without seats
    Column("term_unit", String(16), nullable=False),
    Column("term_starts_at", UtcDateTime),
    Column("term_ends_at", UtcDateTime),
    Column("is_free_trial", Boolean, nullable=False, server_default=sa.false()),  # the Marketplace's, not ours
    Column("free_trial_ends_at", UtcDateTime),  # its last day, stored permanently
    Column("auto_renew", Boolean, nullable=False),
    Column("paid_from", UtcDateTime),  # the activation; NULL while it is pending
    Column("ended_at", UtcDateTime),
    Column("last_event_at", UtcDateTime),  # the newest applied event, by Microsoft's clock
    Column("billing_contact_id", BigInteger),  # the buyer's account, if any
    Column("replaces_agreement", Boolean, nullable=False, server_default=sa.false()),  # confirmed by a super admin
    Column("replaced_trial", Boolean, nullable=False, server_default=sa.false()),  # which continues after its end
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    ForeignKey(["tenant_id", "billing_contact_id"], ["users.tenant_id", "users.id"]),
    Unique("tenant_id", "id"),
    CheckConstraint("quantity >= 0", name="quantity"),
    CheckConstraint("status = 'pending' OR paid_from IS NOT NULL OR ended_at IS NOT NULL", name="paid_from"),
    CheckConstraint(
        "(status = 'unsubscribed' AND ended_at IS NOT NULL) OR (status <> 'unsubscribed' AND ended_at IS NULL)",
        name="ended_at",
    ),
)
Index(
    "ux_subscriptions_marketplace_id",
    subscriptions.c.marketplace_id,
    unique=True,
    **only_where(subscriptions.c.marketplace_id.is_not(None)),
)
# A tenant pays once: a second subscription stays pending until the first has ended.
Index(
    "ux_subscriptions_live",
    subscriptions.c.tenant_id,
    unique=True,
    **only_where(subscriptions.c.status.in_(("subscribed", "suspended"))),
)

# Purchases for an existing tenant by a buyer without the authority to approve them; each needs a decision.
purchase_requests = sa.Table(
    "purchase_requests",
    metadata,
    identity(),
    tenant_id(),
    Column("marketplace_id", Uuid, nullable=False),  # Microsoft's
    *choice("state", "waiting", "agreed", "declined", "cancelled"),
    Column("offer_id", Unicode(100), nullable=False),  # these four: the values of the request
    Column("plan_id", Unicode(100), nullable=False),
    Column("quantity", Integer),
    Column("term_unit", String(16), nullable=False),
    Column("buyer_id", BigInteger),  # NULL if no seat was free for the buyer's account
    Column("requested_at", UtcDateTime, nullable=False),
    Column("decider_id", BigInteger),  # NULL: an operator, or Microsoft by a cancellation
    Column("decided_at", UtcDateTime),
    PrimaryKey("id"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    ForeignKey(["tenant_id", "buyer_id"], ["users.tenant_id", "users.id"]),
    ForeignKey(["tenant_id", "decider_id"], ["users.tenant_id", "users.id"]),
    Unique("marketplace_id"),
    CheckConstraint(
        "(state = 'waiting' AND decided_at IS NULL) OR (state <> 'waiting' AND decided_at IS NOT NULL)",
        name="decided_at",
    ),
)
Index("ix_purchase_requests_tenant", purchase_requests.c.tenant_id, purchase_requests.c.id)

# The ledger: every event of a subscription, once. Append-only.
subscription_events = sa.Table(
    "subscription_events",
    metadata,
    identity(),
    tenant_id(),
    Column("subscription_id", BigInteger, nullable=False),
    Column("operation_id", Uuid),  # Microsoft's; NULL without an operation
    Column("event_type", Unicode(64), nullable=False),  # Microsoft's name, or Activate
    *choice("source", "landing", "webhook", "reconcile", "operator"),
    *choice("outcome", "applied", "refused", "superseded", "ignored"),
    Column("plan_id", Unicode(100), nullable=False),  # these three: the values after the event
    Column("quantity", Integer),
    *choice("status", "pending", "subscribed", "suspended", "unsubscribed"),
    Column("effective_at", UtcDateTime, nullable=False),  # by Microsoft's clock
    Column("recorded_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    of_subscription(),
    Unique("tenant_id", "id"),
)
Index(
    "ux_subscription_events_operation_id",
    subscription_events.c.operation_id,
    unique=True,
    **only_where(subscription_events.c.operation_id.is_not(None)),
)
Index(
    "ix_subscription_events_subscription",
    subscription_events.c.tenant_id,
    subscription_events.c.subscription_id,
    subscription_events.c.id,
)

# The price per user from an instant on; a bill uses the one in force. Append-only. In a row without
# a rate the price of the plan could not be read.
subscription_rates = sa.Table(
    "subscription_rates",
    metadata,
    tenant_id(),
    Column("subscription_id", BigInteger, nullable=False, autoincrement=False),
    Column("from_at", UtcDateTime, nullable=False),
    Column("plan_id", Unicode(100), nullable=False),
    Column("rate_per_user", Money),
    Column("currency", String(3)),
    Column("rate_unit", String(16), nullable=False, server_default="P1M"),  # the term that the rate pays for
    Column("included_users", Integer, nullable=False, server_default="0"),  # users covered by the fee
    Column("included_unit", String(16), nullable=False, server_default="P1M"),  # the term of the fee
    PrimaryKey("subscription_id", "from_at"),
    of_subscription(),
    CheckConstraint("rate_per_user >= 0", name="rate_per_user"),
    CheckConstraint("included_users >= 0", name="included_users"),
    CheckConstraint(
        "(rate_per_user IS NULL AND currency IS NULL) OR (rate_per_user IS NOT NULL AND currency IS NOT NULL)",
        name="currency",
    ),
)
