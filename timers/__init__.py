"""Time on a work item: start, stop, the running timer, and the log of both."""

from timers.days import first_instant
from timers.schemas import Organization, RunningTimer, TimeEntry
from timers.store import find_running


__all__ = ["Organization", "RunningTimer", "TimeEntry", "find_running", "first_instant"]
