"""The projects that time is counted on, and which of them are joined."""

from timers.projects.store import counted_as, project_name_key


__all__ = ["counted_as", "project_name_key"]
