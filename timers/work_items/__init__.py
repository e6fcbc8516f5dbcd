"""Work items as Azure DevOps showed them, and the people who have read them there."""

from timers.work_items.lookup_flow import FRESH_FOR, MAX_BATCH, look_up
from timers.work_items.reader_store import (
    HIDDEN_FROM_OTHERS,
    IS_SHOWN,
    SHOWN,
    SHOWN_FOR,
    of_viewer,
    read_since,
    shown,
)


__all__ = [
    "FRESH_FOR",
    "HIDDEN_FROM_OTHERS",
    "IS_SHOWN",
    "MAX_BATCH",
    "SHOWN",
    "SHOWN_FOR",
    "look_up",
    "of_viewer",
    "read_since",
    "shown",
]
