"""What may be said of an action: when it happened, and on which page, in words that name nobody."""

import datetime as dt
import re
from typing import Final
from urllib.parse import unquote


OLDEST: Final = dt.timedelta(hours=24)
SKEW: Final = dt.timedelta(minutes=2)
_PATH: Final = re.compile(r"\A/(?:[A-Za-z0-9._~/-]|%[0-9A-Fa-f]{2})*\Z")
_HIDDEN: Final = re.compile(r"[@?#%\\:\x00-\x1f\x7f]|//")


def when(said: dt.datetime | None, now: dt.datetime) -> dt.datetime | None:
    """When it happened: a clock that is a little fast means now. None for what is too old, or yet to come."""
    if said is None:
        return now
    if not now - OLDEST <= said <= now + SKEW:
        return None
    return min(said, now)


def is_plain_path(page: str) -> bool:
    """Whether it is a path and nothing else, even when decoded: no host, query, fragment or address of anybody."""
    return _PATH.match(page) is not None and _HIDDEN.search(unquote(page)) is None
