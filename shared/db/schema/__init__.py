"""Every table, with the keys, checks and triggers that hold the product's guarantees."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from shared.db.records_triggers import protect
from shared.db.schema.base import metadata
from shared.db.schema.bills import adopted_usage, billing_lines, billing_records, usage_events
from shared.db.schema.closed_months import closed_months
from shared.db.schema.idempotency import idempotency_keys
from shared.db.schema.installation import installation, restore_changes
from shared.db.schema.landing import landing_visits
from shared.db.schema.logs import action_log, audit_log
from shared.db.schema.notices import notice_views, notices
from shared.db.schema.people import slugs, tenant_zones, tenants, user_months, users
from shared.db.schema.privacy import damaged_documents, erasures, kept_mentions, nominees, privacy_requests
from shared.db.schema.subscriptions import purchase_requests, subscription_events, subscription_rates, subscriptions
from shared.db.schema.timer_log import timer_log
from shared.db.schema.timers import organizations, projects, running_timers, time_entries, time_entry_days
from shared.db.schema.work_items import favorites, work_item_readers, work_items
from shared.db.schema.write_back import write_back_attempts, write_back_changes, write_back_items


__all__ = [
    "action_log",
    "adopted_usage",
    "audit_log",
    "billing_lines",
    "billing_records",
    "closed_months",
    "damaged_documents",
    "erasures",
    "favorites",
    "idempotency_keys",
    "installation",
    "kept_mentions",
    "landing_visits",
    "metadata",
    "nominees",
    "notice_views",
    "notices",
    "organizations",
    "privacy_requests",
    "projects",
    "purchase_requests",
    "restore_changes",
    "running_timers",
    "slugs",
    "subscription_events",
    "subscription_rates",
    "subscriptions",
    "tenant_zones",
    "tenants",
    "time_entries",
    "time_entry_days",
    "timer_log",
    "usage_events",
    "user_months",
    "users",
    "work_item_readers",
    "work_items",
    "write_back_attempts",
    "write_back_changes",
    "write_back_items",
]


@event.listens_for(metadata, "after_create")
def _protect(_metadata: sa.MetaData, connection: sa.Connection, **_more: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
    """Creates the triggers in a database without migrations as well."""
    protect(connection)
