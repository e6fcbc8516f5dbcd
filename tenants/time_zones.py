"""The time zones that a tenant can choose."""

from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field


@cache
def zones() -> frozenset[str]:
    """The IANA names; other files of the zone database have no slash."""
    return frozenset(name for name in available_timezones() if "/" in name or name == "UTC")


def _known_zone(value: str) -> str:
    if value not in zones():
        raise ValueError("must be an IANA time zone, like Europe/Berlin or UTC")
    return value


TimeZone = Annotated[str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(_known_zone)]
