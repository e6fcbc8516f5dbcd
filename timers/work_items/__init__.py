"""Work items: what Azure DevOps shows of them, and to whom it has shown them."""

from timers.work_items.lookup import AT_ONCE, FRESH, look_up
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
    "AT_ONCE",
    "FRESH",
    "HIDDEN_FROM_OTHERS",
    "IS_SHOWN",
    "SHOWN",
    "SHOWN_FOR",
    "look_up",
    "of_viewer",
    "read_since",
    "shown",
]
