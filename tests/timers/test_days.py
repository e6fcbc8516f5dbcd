import datetime as dt
from itertools import product
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.cases import check_all
from timers.days import elapsed_ms, split
from timers.model import DayPiece


ZONES = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("posix", "right")))
MS = dt.timedelta(milliseconds=1)
# Zones with special month starts: midnights that do not exist or occur twice, clock changes at a month's end,
# offsets of fractions of an hour, and both extreme offsets.
VECTORS = [
    ("America/Asuncion", "2023-10-01T03:59:59.999+00:00"),
    ("America/Havana", "2020-11-01T03:30:00+00:00"),
    ("America/Havana", "2026-11-01T03:30:00+00:00"),
    ("America/New_York", "2026-11-01T03:00:00+00:00"),
    ("Europe/Berlin", "2027-10-30T21:59:00+00:00"),
    ("Europe/London", "2030-03-30T23:00:00+00:00"),
    ("Australia/Sydney", "2028-09-30T13:59:59+00:00"),
    ("Australia/Sydney", "2029-03-31T12:00:00+00:00"),
    ("Africa/Cairo", "2026-04-23T21:00:00+00:00"),
    ("Africa/Cairo", "2027-04-29T21:00:00+00:00"),
    ("Africa/Cairo", "2030-10-30T20:00:00+00:00"),
    ("Asia/Beirut", "2026-03-28T21:00:00+00:00"),
    ("America/Santiago", "2026-09-06T03:00:00+00:00"),
    ("Australia/Lord_Howe", "2026-10-03T12:00:00+00:00"),
    ("Asia/Kolkata", "2028-02-29T18:29:59.999+00:00"),
    ("Pacific/Kiritimati", "2026-12-31T09:00:00+00:00"),
    ("Pacific/Pago_Pago", "2026-12-31T10:59:59.999+00:00"),
    ("Pacific/Apia", "2026-01-31T09:00:00+00:00"),
]
instants = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2035, 1, 1)).map(  # noqa: DTZ001 - made aware here
    lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000, tzinfo=dt.UTC)
)
lengths = st.integers(0, 3 * 24 * 3_600_000)


def local_date(instant: dt.datetime, zone: ZoneInfo) -> dt.date:
    return instant.astimezone(zone).date()


def assert_tiles(started_at: dt.datetime, length_ms: int, zone: ZoneInfo) -> None:
    """The oracle: each piece ends where the next begins, and each end is the end of its day."""
    stopped_at = started_at + length_ms * MS
    pieces = split(started_at, stopped_at, zone)

    assert sum(piece.elapsed_ms for piece in pieces) == length_ms
    assert [piece.date for piece in pieces] == sorted({piece.date for piece in pieces})
    at = started_at
    for piece in pieces:
        end = at + piece.elapsed_ms * MS
        assert local_date(at, zone) == piece.date
        if end > at:
            assert local_date(end - MS, zone) == piece.date
        at = end
    assert all(piece.elapsed_ms > 0 for piece in pieces) or length_ms == 0


@given(started_at=instants, length_ms=lengths, zone=st.sampled_from(ZONES))
def test_days_tile_the_elapsed_time_in_every_zone(started_at, length_ms, zone):
    assert_tiles(started_at, length_ms, ZoneInfo(zone))


def test_days_tile_around_every_odd_midnight():
    def holds(zone: str, at: str, length_ms: int, before_ms: int) -> None:
        assert_tiles(dt.datetime.fromisoformat(at) - before_ms * MS, length_ms, ZoneInfo(zone))

    lengths = (1, 1_000, 3_600_000, 2 * 3_600_000, 26 * 3_600_000)
    before = (0, 1, 1_800_000, 3_600_000)
    check_all(holds, ((*vector, *more) for vector in VECTORS for more in product(lengths, before)), at_least=360)


def test_every_month_from_2020_to_2035_begins_in_its_own_month():
    def holds(zone: str) -> None:
        for year, month in product(range(2020, 2036), range(1, 13)):
            noon_before = dt.datetime(year, month, 1, 12, tzinfo=dt.UTC) - dt.timedelta(days=2)
            pieces = split(noon_before, noon_before + dt.timedelta(days=4), ZoneInfo(zone))

            assert sum(piece.elapsed_ms for piece in pieces) == 4 * 86_400_000
            first = next(piece for piece in pieces if piece.month.key == year * 100 + month)
            assert first.date == dt.date(year, month, 1)

    check_all(holds, ZONES, at_least=400)


@given(started_at=instants, length_ms=lengths)
@example(started_at=dt.datetime(2026, 10, 25, 0, 0, tzinfo=dt.UTC), length_ms=3 * 3_600_000)
def test_the_elapsed_time_does_not_depend_on_the_zone(started_at, length_ms):
    stopped_at = started_at + length_ms * MS
    berlin, kolkata = (split(started_at, stopped_at, ZoneInfo(zone)) for zone in ("Europe/Berlin", "Asia/Kolkata"))

    assert sum(piece.elapsed_ms for piece in berlin) == sum(piece.elapsed_ms for piece in kolkata) == length_ms


def test_a_span_of_no_time_is_one_piece_on_its_day():
    at = dt.datetime(2026, 11, 23, 23, 30, tzinfo=dt.UTC)

    assert split(at, at, ZoneInfo("Europe/Berlin")) == (DayPiece(dt.date(2026, 11, 24), 0),)


def test_a_stop_at_midnight_belongs_to_the_day_before():
    midnight = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)

    assert split(midnight - MS, midnight, ZoneInfo("UTC")) == (DayPiece(dt.date(2026, 11, 23), 1),)


def test_the_night_the_clocks_go_back_has_its_extra_hour():
    started_at = dt.datetime.fromisoformat("2026-10-25T01:30:00+02:00")
    stopped_at = dt.datetime.fromisoformat("2026-10-25T03:30:00+01:00")

    assert elapsed_ms(started_at, stopped_at) == 3 * 3_600_000
    assert split(started_at, stopped_at, ZoneInfo("Europe/Berlin")) == (DayPiece(dt.date(2026, 10, 25), 10_800_000),)


def test_a_day_that_a_zone_skipped_has_no_piece():
    started_at = dt.datetime(2011, 12, 30, 9, 0, tzinfo=dt.UTC)
    dates = [
        piece.date.isoformat()
        for piece in split(started_at, started_at + dt.timedelta(hours=2), ZoneInfo("Pacific/Apia"))
    ]

    assert dates == ["2011-12-29", "2011-12-31"]
