"""Time on work items: running timers, entries, their log, and the write-back to Completed Work."""

from timers.schemas import Organization, RunningTimer, TimeEntry
from timers.store import find_running


__all__ = ["Organization", "RunningTimer", "TimeEntry", "find_running"]
