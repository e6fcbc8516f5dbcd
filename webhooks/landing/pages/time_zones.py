"""Time zones as the pages show them: the IANA name with its difference from UTC now."""

import datetime as dt
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from zoneinfo import ZoneInfo

from tenants import zones


@dataclass(frozen=True, slots=True)
class TimeZoneOption:
    name: str
    text: str


def zone_text(name: str, now: dt.datetime) -> str:
    """The time zone in words, as `America/New York (UTC-05:00)`."""
    if name == "UTC":
        return name
    offset = now.astimezone(_zone(name)).strftime("%z")
    return f"{name.replace('_', ' ')} (UTC{offset[:3]}:{offset[3:5]})"


def zone_options(now: dt.datetime) -> list[tuple[str, list[TimeZoneOption]]]:
    """All time zones by region; UTC comes first and has none."""
    options = [TimeZoneOption(name, zone_text(name, now)) for name in ("UTC", *sorted(zones() - {"UTC"}))]
    return [(region, list(group)) for region, group in groupby(options, key=_region)]


def _region(option: TimeZoneOption) -> str:
    return "" if option.name == "UTC" else option.name.partition("/")[0]


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
