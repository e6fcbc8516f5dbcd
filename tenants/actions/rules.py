"""Valid times and pages of actions; pure."""

import datetime as dt
import re
from typing import Final
from urllib.parse import unquote


OLDEST: Final = dt.timedelta(hours=24)
SKEW: Final = dt.timedelta(minutes=2)
_PATH: Final = re.compile(r"\A/(?:[A-Za-z0-9._~/-]|%[0-9A-Fa-f]{2})*\Z")
_HIDDEN: Final = re.compile(r"[@?#%\\:\x00-\x1f\x7f]|//")


def resolve_time(sent: dt.datetime | None, now: dt.datetime) -> dt.datetime | None:
    """The time of an action, at most now; None where it is too old or too far in the future."""
    if sent is None:
        return now
    if not now - OLDEST <= sent <= now + SKEW:
        return None
    return min(sent, now)


def is_plain_path(page: str) -> bool:
    """Whether the text, also decoded, is only a path: without host, query, fragment or e-mail address."""
    return _PATH.match(page) is not None and _HIDDEN.search(unquote(page)) is None
