import datetime as dt
import uuid
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.closing import rules
from billing.closing.model import Activity, BilledThrough, Candidate, Kind, Period, Reason, Zones
from billing.subscriptions.model import Price, Quote, Rate, Subscription, SubscriptionStatus, Terms
from shared.calendar import Month
from shared.money import minor_unit
from tests.support.cases import check_all


MS, HOUR = dt.timedelta(milliseconds=1), dt.timedelta(hours=1)
ZONES = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("posix", "right")))
UTC = Zones(ZoneInfo("UTC"))
instants = st.datetimes(
    dt.datetime(2020, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    dt.datetime(2035, 12, 1),  # noqa: DTZ001
    timezones=st.just(dt.UTC),
).map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000))
zones = st.sampled_from(ZONES).map(ZoneInfo)
rates = st.integers(0, 9_999_999).map(lambda scaled: Decimal(scaled).scaleb(-4))
JAN, DEC = Month(2026, 1), Month(2025, 12)
MINOR = {"EUR": 2, "JPY": 0, "KWD": 3}


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def subscription(paid_from: dt.datetime | None, ended_at: dt.datetime | None = None) -> Subscription:
    terms = Terms(SubscriptionStatus.SUBSCRIBED, "o", "p", None, "P1M", None, None, auto_renew=True)
    return Subscription(1, 1, uuid.UUID(int=1), terms, paid_from, ended_at, None, 1)


def billed_from(paid_from: dt.datetime | None, ended_at: dt.datetime | None = None) -> BilledThrough:
    return BilledThrough(subscription(paid_from, ended_at), None, None)


def activity(reason: Reason, first_at: str, last_at: str, *, user: int = 1, month: Month = JAN) -> Activity:
    return Activity(user, month, "ada@contoso.example", "Ada", reason, at(first_at), at(last_at))


def after(billed_from: BilledThrough, period: Period) -> BilledThrough:
    return replace(billed_from, last_month=period.month, billed_to=period.ends_at)


def local(instant: dt.datetime, zone: ZoneInfo) -> Month:
    there = instant.astimezone(zone)
    return Month(there.year, there.month)


def test_months_of_every_zone_from_2020_to_2035_meet_at_local_midnight():
    months = [Month(year, number) for year in range(2020, 2036) for number in range(1, 13)]

    def holds(name: str) -> None:
        zone = ZoneInfo(name)
        begun = Month(2020, 1).starts_at(zone)
        periods = list(rules.ended_periods(billed_from(begun), Zones(zone), at("2036-01-02")))

        assert [each.month for each in periods] == months
        assert periods[0].starts_at == begun
        assert all(one.ends_at == other.starts_at for one, other in pairwise(periods))
        for each in periods:
            assert local(each.starts_at, zone) == local(each.ends_at - MS, zone) == each.month
            assert local(each.ends_at, zone) == each.month.next

    check_all(holds, ZONES, at_least=400)


@pytest.mark.parametrize(
    ("name", "month", "begins"),
    [
        ("America/Asuncion", 202310, "2023-10-01T04:00"),  # 00:00 does not exist
        ("America/Havana", 202611, "2026-11-01T04:00"),  # 00:00 happens twice
        ("America/New_York", 202611, "2026-11-01T04:00"),
        ("Europe/Berlin", 203004, "2030-03-31T22:00"),
        ("Asia/Kolkata", 202603, "2026-02-28T18:30"),
        ("Pacific/Kiritimati", 202601, "2025-12-31T10:00"),
        ("Pacific/Pago_Pago", 202601, "2026-01-01T11:00"),
        ("Africa/Cairo", 202705, "2027-04-30T21:00"),
    ],
)
def test_a_month_begins_at_the_first_instant_of_its_first_day(name, month, begins):
    assert Month.from_key(month).starts_at(ZoneInfo(name)) == at(begins)


def test_months_have_the_hours_of_their_time_zone():
    lord_howe = list(
        rules.ended_periods(
            billed_from(at("2026-03-31T13:00")), Zones(ZoneInfo("Australia/Lord_Howe")), at("2026-11-02")
        )
    )
    hours = {each.month: (each.ends_at - each.starts_at) / HOUR for each in lord_howe}
    february = next(rules.ended_periods(billed_from(at("2028-02-01")), UTC, at("2028-03-01")))

    assert (hours[Month(2026, 4)], hours[Month(2026, 10)]) == (720.5, 743.5)
    assert (february.ends_at - february.starts_at).days == 29


@given(zone=zones, paid_from=instants, lasted=st.integers(0, 90 * 24 * 3_600_000), late=st.integers(0, 90 * 24))
def test_late_closed_periods_cover_the_paid_time_to_the_millisecond(zone, paid_from, lasted, late):
    ended_at = paid_from + lasted * MS
    periods = list(rules.ended_periods(billed_from(paid_from, ended_at), Zones(zone), ended_at + late * HOUR))

    assert periods[0].starts_at == paid_from
    assert periods[-1].ends_at == ended_at
    assert all(one.ends_at == other.starts_at for one, other in pairwise(periods))
    assert all(one.month.next == other.month for one, other in pairwise(periods))
    assert [each.kind for each in periods] == [Kind.MONTH] * (len(periods) - 1) + [Kind.FINAL]


@given(zone=zones, paid_from=instants, steps=st.lists(st.integers(-48, 24 * 20), max_size=30))
def test_due_periods_do_not_depend_on_the_time_of_the_close(zone, paid_from, steps):
    now, found, one = paid_from, [], billed_from(paid_from)
    latest = now
    for step in steps:
        now += step * HOUR  # the clock may be set back
        latest = max(latest, now)
        for period in list(rules.ended_periods(one, Zones(zone), now)):
            found.append(period)
            one = after(one, period)
    at_once = list(rules.ended_periods(billed_from(paid_from), Zones(zone), latest))

    assert found == at_once
    assert list(rules.ended_periods(one, Zones(zone), latest)) == []


@given(paid_from=instants, places=st.lists(st.tuples(st.integers(1, 40 * 24), zones), max_size=8), last=zones)
def test_adjacent_periods_have_the_zone_of_their_beginning(paid_from, places, last):
    changes, moment = [], paid_from
    for hours, zone in places:
        moment += hours * HOUR
        changes.append((moment, zone))
    history = Zones(last, tuple(changes))
    periods = list(rules.ended_periods(billed_from(paid_from), history, at("2037-01-01")))

    assert periods[0].starts_at == paid_from
    assert all(a.ends_at == b.starts_at for a, b in pairwise(periods))
    assert all(each.starts_at < each.ends_at for each in periods[1:])
    for each in periods:
        [*_, zone] = [zone for until, zone in reversed([*changes, (at("2099-01-01"), last)]) if each.starts_at < until]
        assert each.time_zone == zone.key
        assert each.ends_at == max(each.starts_at, each.month.next.starts_at(zone))


def test_a_new_zone_counts_from_the_next_period_on():
    berlin, honolulu = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Honolulu")
    zones = Zones(honolulu, ((at("2026-11-10"), berlin),))
    periods = list(rules.ended_periods(billed_from(at("2026-10-31T23:00")), zones, at("2027-01-02")))

    assert [(each.time_zone, each.ends_at) for each in periods] == [
        ("Europe/Berlin", at("2026-11-30T23:00")),
        ("Pacific/Honolulu", at("2027-01-01T10:00")),
    ]


@given(zone=zones, paid_from=instants, ahead=st.integers(0, 400 * 24))
def test_the_open_period_is_the_next_period_to_be_closed(zone, paid_from, ahead):
    now = paid_from + ahead * HOUR
    one = billed_from(paid_from)
    for period in list(rules.ended_periods(one, Zones(zone), now)):
        one = after(one, period)
    open_now = rules.open_period(one, Zones(zone), now)

    assert open_now is not None
    assert open_now.starts_at <= now < open_now.ends_at
    assert open_now == next(rules.ended_periods(one, Zones(zone), open_now.ends_at))
    assert open_now == rules.open_period(billed_from(paid_from), Zones(zone), now)


def test_an_unpaid_subscription_has_no_periods():
    assert list(rules.ended_periods(billed_from(None), UTC, at("2030-01-01"))) == []
    assert rules.open_period(billed_from(None), UTC, at("2030-01-01")) is None


@given(
    count=st.integers(0, 100_000),
    rate=rates,
    currency=st.sampled_from(sorted(MINOR)),
)
def test_a_total_is_the_nearest_amount_with_halves_rounded_up(count, rate, currency):
    total = rules.total(count, Price(rate, currency))
    exact = Fraction(count * int(rate.scaleb(4)), 10_000)
    unit = Fraction(1, 10 ** MINOR[currency])
    units, rest = divmod(exact, unit)

    assert total is not None
    assert Fraction(total) == (units + (rest * 2 >= unit)) * unit
    assert total.as_tuple().exponent == -MINOR[currency]


@pytest.mark.parametrize(
    ("rate", "currency", "total"),
    [
        ("0.0050", "EUR", "0.01"),
        ("0.0150", "EUR", "0.02"),
        ("0.0250", "EUR", "0.03"),
        ("0.0249", "EUR", "0.02"),
        ("2.5", "JPY", "3"),
        ("0.0005", "KWD", "0.001"),
    ],
)
def test_half_a_cent_is_rounded_up(rate, currency, total):
    assert rules.total(1, Price(Decimal(rate), currency)) == Decimal(total)


def test_the_minor_unit_follows_iso_4217_and_is_mostly_a_hundredth():
    units = {code: str(minor_unit(code)) for code in ("EUR", "USD", "INR", "JPY", "KRW", "CLP", "KWD", "TND")}

    assert units == {**dict.fromkeys(("EUR", "USD", "INR"), "0.01")} | dict.fromkeys(("JPY", "KRW", "CLP"), "1") | {
        "KWD": "0.001",
        "TND": "0.001",
    }


def rate(since: str, euros: int | None, plan: str = "paid", included: int = 0) -> Rate:
    price = None if euros is None else Price(Decimal(euros), "EUR")
    return Rate(at(since), plan, Quote(price, included))


def price_at(text: str, *rates: Rate) -> Decimal | None:
    found = rules.rate_in_force(rates, at(text))
    return None if found is None or found.quote.price is None else found.quote.price.rate_per_user


def test_a_period_has_the_price_of_its_first_instant_or_else_the_earliest():
    rates = [rate("2026-03-01", 2), rate("2026-01-15", 1), rate("2026-04-01", 3)]

    assert [price_at(f"2026-0{month}-01", *rates) for month in (1, 2, 3, 4)] == [1, 1, 2, 3]
    assert rules.rate_in_force([], at("2026-01-01")) is None


def test_an_unreadable_price_is_not_replaced_by_another_terms():
    unread, yearly = rate("2026-01-01", None), Price(Decimal(60), "EUR", "P1Y")
    later = Rate(at("2026-03-01"), "paid", Quote(yearly), "P1Y")
    unread_year = Rate(at("2026-02-01"), "paid", Quote(None), "P1Y")

    assert price_at("2026-01-01", unread, later) is None
    assert price_at("2026-02-01", unread, unread_year, later) == 60


def test_an_unreadable_price_is_not_replaced_by_another_plans():
    rates = [rate("2026-01-01", 1), rate("2026-01-10", None, "gold"), rate("2026-03-10", 9, "silver")]

    assert [price_at(f"2026-0{month}-01", *rates) for month in (1, 2, 3, 4)] == [1, None, None, 9]


def test_a_price_read_later_counts_from_the_plans_beginning():
    rates = [rate("2026-01-10", None, "gold"), rate("2026-02-20", 7, "gold"), rate("2026-02-25", 8, "gold")]

    assert [price_at(f"2026-0{month}-01", *rates) for month in (1, 2, 3)] == [7, 7, 8]


def test_a_yearly_price_gives_no_monthly_total():
    yearly = Price(Decimal(60), "EUR", "P1Y")

    assert rules.total(30, yearly) is rules.total(30, None) is None


@pytest.mark.parametrize(
    ("ends", "is_trial", "is_free"),
    [("2026-01-31", True, True), ("2026-01-30", True, False), ("2026-01-31", False, True), (None, True, True)],
)
def test_a_period_is_free_if_it_ends_by_the_last_day_of_the_free_trial(ends, is_trial, is_free):
    one = subscription(at("2026-01-01"))
    terms = replace(one.terms, is_free_trial=is_trial, free_trial_ends_at=ends and at(ends))

    assert rules.is_in_free_trial(replace(one, terms=terms), JANUARY) is is_free


@given(
    on_time=st.lists(st.integers(0, 9), min_size=1, max_size=6),
    late=st.lists(st.integers(0, 4), min_size=6, max_size=6),
    included=st.integers(0, 8),
)
def test_a_user_billed_late_is_covered_by_the_fee_of_their_own_month(on_time, late, included):
    """In the end, the users of each month beyond its included ones are paid, whenever they were billed."""
    quote, paid = Quote(None, included), 0
    billed: Counter[Month] = Counter()
    month = JAN
    for number, users in enumerate([*on_time, 0]):
        came_late = late[number - 1] if number else 0
        lines = [activity(Reason.TIME, "2026-01-01", "2026-01-02", user=user, month=month) for user in range(users)]
        lines += [
            activity(Reason.TIME, "2026-01-01", "2026-01-02", user=100 + user, month=month.previous)
            for user in range(came_late)
        ]
        before = {month.previous: (billed[month.previous], included)} if number else {}
        paid += len(lines) - rules.count_included(lines, quote, before, month)
        billed[month] += users
        billed[month.previous] += came_late
        month = month.next

    assert paid == sum(max(0, users - included) for users in billed.values())


RAN = activity(Reason.TIME, "2026-01-31T20:00", "2026-01-31T20:00")


@pytest.mark.parametrize(
    ("started", "now", "limit", "last"),
    [
        ("2026-01-31T20:00", "2026-02-01T00:05", 12, "2026-02-01T00:00"),
        ("2026-01-31T20:00", "2026-01-31T20:30", 12, "2026-01-31T20:30"),
        ("2026-01-31T20:00", "2026-02-01T00:05", 2, "2026-01-31T22:00"),
        ("2026-02-01T00:00", "2026-02-01T00:05", 12, None),
        ("2026-01-31T20:00", "2026-01-31T20:00", 12, None),
        ("2025-12-31T10:00", "2026-01-01T09:00", 12, None),
        ("2025-12-31T20:00", "2026-01-01T09:00", 12, "2026-01-01T08:00"),
    ],
)
def test_a_running_timer_counts_as_time_up_to_its_limit(started, now, limit, last):
    timer = replace(RAN, first_at=at(started), last_at=at(started))
    ran = rules.timer_activity(timer, JANUARY, limit=limit * HOUR, now=at(now))

    assert (None if ran is None else ran.last_at) == (None if last is None else at(last))
    assert ran is None or ran.first_at == max(at(started), JANUARY.starts_at)


@pytest.mark.parametrize(
    ("kind", "ends_at", "now", "slot"),
    [
        (Kind.MONTH, "2026-02-01T00:00", "2026-02-01T00:05", "2026-01-31T23:00"),
        (Kind.MONTH, "2026-01-31T18:30", "2026-01-31T19:05", "2026-01-31T18:00"),
        (Kind.MONTH, "2026-02-01T00:00", "2026-02-01T22:00", "2026-01-31T23:00"),
        (Kind.MONTH, "2026-02-01T00:00", "2026-02-01T22:05", "2026-02-01T22:00"),
        (Kind.FINAL, "2026-01-15T09:40", "2026-01-15T09:40", "2026-01-15T09:00"),
        (Kind.FINAL, "2026-01-15T09:40", "2026-01-19T09:40", "2026-01-15T09:00"),
    ],
)
def test_usage_is_reported_for_the_last_hour_the_meter_still_accepts(kind, ends_at, now, slot):
    period = Period(JAN, kind, at("2026-01-01"), at(ends_at), "UTC")

    assert rules.preferred_slot(period, at(now)) == at(slot)


@given(wanted=instants, taken=st.sets(st.integers(0, 30)))
def test_a_taken_hour_is_replaced_by_the_nearest_free_hour_before(wanted, taken):
    wanted = wanted.replace(minute=0, second=0, microsecond=0)
    slot = rules.free_slot(wanted, {wanted - hours * HOUR for hours in taken})
    back = (wanted - slot) // HOUR

    assert slot <= wanted
    assert back not in taken
    assert all(hours in taken for hours in range(back))


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [(Reason.TIME, Reason.SIGN_IN, Reason.TIME), (Reason.TIME,) * 3, (Reason.SIGN_IN,) * 3],
)
def test_the_activity_of_a_person_in_a_month_is_one_line_in_any_order(one, other, both):
    found = [activity(one, "2026-01-09", "2026-01-20"), activity(other, "2026-01-05", "2026-01-12")]
    line = activity(both, "2026-01-05", "2026-01-20")

    assert rules.merge_lines(found) == rules.merge_lines(reversed(found)) == (line,)


def test_a_person_has_a_line_for_each_month_and_lines_are_sorted():
    found = [
        activity(Reason.TIME, "2026-01-09", "2026-01-20", user=2),
        activity(Reason.TIME, "2025-12-09", "2025-12-20", user=2, month=DEC),
        activity(Reason.SIGN_IN, "2026-01-05", "2026-01-12", user=1),
    ]

    assert rules.merge_lines(found) == (found[1], found[2], found[0])


JANUARY = Period(JAN, Kind.MONTH, at("2026-01-01"), at("2026-02-01"), "UTC")


@pytest.mark.parametrize(
    ("ended_at", "is_final"),
    [
        (None, False),
        (JANUARY.starts_at - MS, False),
        (JANUARY.starts_at, True),
        (JANUARY.ends_at, True),
        (JANUARY.ends_at + MS, False),
    ],
)
def test_a_period_billed_again_ends_with_its_subscription(ended_at, is_final):
    again = rules.replacement_period(JANUARY, subscription(at("2025-06-01"), ended_at))

    assert again == (replace(JANUARY, kind=Kind.FINAL, ends_at=ended_at) if is_final else JANUARY)


@pytest.mark.parametrize("now", ["2026-02-01", "2026-02-01T00:05", "2026-03-01"])
def test_a_subscription_ending_with_its_month_has_one_final_record(now):
    ended = billed_from(JANUARY.starts_at, JANUARY.ends_at)
    final = replace(JANUARY, kind=Kind.FINAL)

    assert list(rules.ended_periods(ended, UTC, at(now))) == [final]
    assert list(rules.ended_periods(after(ended, final), UTC, at(now))) == []


@pytest.mark.parametrize(("first", "last"), [("2026-01-01", "2026-01-31T23:59"), ("2025-12-30", "2026-02-02")])
def test_time_on_a_line_is_limited_to_the_period(first, last):
    cut = rules.clip_to_period(activity(Reason.TIME, first, last), JANUARY.starts_at, JANUARY.ends_at)

    assert (cut.first_at, cut.last_at) == (max(at(first), JANUARY.starts_at), min(at(last), JANUARY.ends_at))
    assert cut.reason is Reason.TIME


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [
        ("2026-01-01", "2026-01-31", ("2026-01-01", "2026-01-31")),
        ("2025-12-31", "2026-01-31", ("2026-01-31", "2026-01-31")),
        ("2026-01-15", "2026-02-01", ("2026-01-15", "2026-01-15")),
    ],
)
def test_sign_ins_on_a_line_are_limited_to_the_period(first, last, shown):
    found = rules.sign_in_activity(activity(Reason.SIGN_IN, first, last, month=DEC), JANUARY)

    assert (found.month, found.first_at, found.last_at) == (JAN, *map(at, shown))


BILLED_TO_JANUARY = BilledThrough(subscription(at("2025-06-01")), JAN, at("2026-02-01"))
ENDED = replace(BILLED_TO_JANUARY, subscription=subscription(at("2025-06-01"), at("2026-02-01")))


@pytest.mark.parametrize(
    ("ended_at", "instant", "seen"),
    [
        ("2026-02-01", "2026-02-01", "2026-02-01"),  # it ended at that very instant
        ("2026-02-01", "2026-01-31T23:59", None),
        ("2026-02-01", None, "2026-02-01"),  # without an instant
        (None, "2026-01-31", None),
    ],
)
def test_a_later_end_does_not_count_as_of_an_earlier_instant(ended_at, instant, seen):
    asked, ended, left = (None if each is None else at(each) for each in (instant, ended_at, seen))
    now = billed_from(at("2025-06-01"), ended)

    assert rules.as_of(now, asked) == billed_from(at("2025-06-01"), left)


@pytest.mark.parametrize(
    ("billed_from", "is_billed", "marked", "now", "is_due"),
    [
        (BILLED_TO_JANUARY, True, JAN, "2026-02-28T23:59", False),
        (BILLED_TO_JANUARY, True, JAN, "2026-03-01", True),
        (BILLED_TO_JANUARY, False, JAN, "2026-03-01", False),  # on the internal plan by now
        (BILLED_TO_JANUARY, False, DEC, "2026-03-01", True),  # January is still to be marked
        (ENDED, True, DEC, "2026-01-31T23:59", False),  # and not before it is over
        (ENDED, True, DEC, "2026-02-01", True),
        (ENDED, True, None, "2026-02-01", True),
        (ENDED, True, JAN, "2026-09-01", False),
        (billed_from(None), True, None, "2026-09-01", False),
    ],
)
def test_a_tenant_is_due_if_a_month_must_be_closed_or_marked(billed_from, is_billed, marked, now, is_due):
    assert rules.is_due(Candidate(billed_from, UTC, is_billed, marked), at(now)) is is_due


def test_a_tenant_is_due_at_local_midnight_and_always_in_an_unknown_zone():
    due = {
        zone: Candidate(ENDED, rules.zones_of(zone, ()), is_billed=True, marked=DEC)
        for zone in ("Asia/Tokyo", "America/New_York", "Nowhere", "../etc")
    }

    assert [rules.is_due(each, at("2026-01-31T15:00")) for each in due.values()] == [True, False, True, True]


def test_a_month_ends_at_local_midnight():
    tokyo = ZoneInfo("Asia/Tokyo")

    assert rules.last_ended(tokyo, at("2026-01-31T15:00")) == JAN
    assert rules.last_ended(tokyo, at("2026-01-31T14:59")) == DEC


@given(zone=zones, now=instants)
def test_the_month_after_the_last_ended_one_has_not_ended(zone, now):
    last = rules.last_ended(zone, now)

    assert rules.has_ended(last, zone, now)
    assert not rules.has_ended(last.next, zone, now)


def test_a_month_stays_ended_when_clocks_go_back_into_it():
    """Newfoundland's clocks went back at 00:01 on the first of November 2009, to 23:01 of October."""
    newfoundland, again = ZoneInfo("America/St_Johns"), at("2009-11-01T02:45")

    assert again.astimezone(newfoundland).month == 10
    assert rules.last_ended(newfoundland, again) == Month(2009, 10)
