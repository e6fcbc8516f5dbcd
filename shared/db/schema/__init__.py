"""Every table, with the keys and checks that hold the product's guarantees."""

from shared.db.schema.base import metadata
from shared.db.schema.people import tenants, user_months, users
from shared.db.schema.requests import idempotency_keys
from shared.db.schema.tracked import projects, running_timers, time_entries, time_entry_days, timer_log


__all__ = [
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
]
