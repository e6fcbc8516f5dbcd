"""Every instant is written in one format, and parsing the format returns the same instant."""

import datetime as dt
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.instants import YEARS, parse_rfc3339, rfc3339


ROOT = Path(__file__).resolve().parents[2]
SPELLED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
OURS = ("billing", "ops", "privacy", "reports", "shared", "tenants", "timers", "webhooks")
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
instants = st.datetimes(
    dt.datetime(YEARS.start, 1, 2),  # noqa: DTZ001 - Hypothesis adds the zone
    dt.datetime(YEARS.stop - 1, 12, 30),  # noqa: DTZ001
    timezones=offsets,
)


@given(instants)
def test_an_instant_is_read_as_it_was_written_cut_to_the_millisecond(instant):
    written = rfc3339(instant)
    read = parse_rfc3339(written)

    assert SPELLED.fullmatch(written)
    assert dt.timedelta(0) <= instant - read < dt.timedelta(milliseconds=1)
    assert (read.tzinfo, rfc3339(read)) == (dt.UTC, written)
    assert parse_rfc3339(instant.isoformat(timespec="microseconds")) == read


@given(st.lists(instants, min_size=2, max_size=5))
def test_written_instants_sort_as_time(moments):
    written = [rfc3339(each) for each in sorted(moments)]

    assert written == sorted(written)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23t09:30:00z",
        "2026-11-23T09:30:00z",
        "2026-11-23 09:30:00Z",
        "2026-11-23T09:30:00",
        "2026-11-23T09:30Z",
        "2026-11-23",
        "1763890200",
        "1999-12-31T23:59:59Z",
        "3000-01-01T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-23T24:30:00Z",
        "2026-11-23T09:30:00+25:00",
        "\uff12026-11-23T09:30:00Z",  # a digit of another script
        "2026-11-23T09:30:00Z\n",
        "",
        1763890200,
        None,
    ],
)
def test_other_spellings_are_refused(text):
    with pytest.raises(ValueError, match="with its offset from UTC"):
        parse_rfc3339(text)


def test_nobody_else_writes_an_instant():
    modules = [path for top in OURS for path in (ROOT / top).rglob("*.py")]
    writing = re.compile(r'timespec=|isoformat\(\) \+ "Z"|removesuffix\("\+00:00"\)')
    found = {str(path.relative_to(ROOT)) for path in modules if writing.search(path.read_text())}

    assert len(modules) > 200
    assert found == {"shared/instants.py"}
