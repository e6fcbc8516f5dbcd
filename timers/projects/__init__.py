"""Projects that have time entries, and their joins."""

from timers.projects.store import counted_as, project_name_key


__all__ = ["counted_as", "project_name_key"]
