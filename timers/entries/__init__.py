"""Time entries, of timers and by hand, and their corrections."""

from timers.entries.finish_service import stop_if_running
from timers.entries.move_service import move_entries, move_left_behind
from timers.entries.move_store import tenants_with_left_behind
from timers.entries.store import entries_to_review


__all__ = ["entries_to_review", "move_entries", "move_left_behind", "stop_if_running", "tenants_with_left_behind"]
