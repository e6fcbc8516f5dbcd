"""Every table, with the keys and checks that hold the product's guarantees."""

from shared.db.schema.azure_devops import work_items, write_backs
from shared.db.schema.base import metadata
from shared.db.schema.closed import closed_months
from shared.db.schema.people import tenants, user_months, users
from shared.db.schema.records import action_log, audit_log
from shared.db.schema.requests import idempotency_keys
from shared.db.schema.timer_log import timer_log
from shared.db.schema.tracked import projects, running_timers, time_entries, time_entry_days


__all__ = [
    "action_log",
    "audit_log",
    "closed_months",
    "idempotency_keys",
    "metadata",
    "projects",
    "running_timers",
    "tenants",
    "time_entries",
    "time_entry_days",
    "timer_log",
    "user_months",
    "users",
    "work_items",
    "write_backs",
]
