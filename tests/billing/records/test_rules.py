"""How a bill spells its month, its days and its money."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from billing.records.rules import period_days
from shared.money import money_text
from tests.support.paying_tenants import at


BERLIN = ZoneInfo("Europe/Berlin")
APIA = ZoneInfo("Pacific/Apia")


@pytest.mark.parametrize(
    ("zone", "starts", "ends", "first", "last"),
    [
        (BERLIN, "2026-01-31T23:00", "2026-02-28T23:00", "1 February 2026", "28 February 2026"),
        (APIA, "2026-01-31T11:00", "2026-02-28T11:00", "1 February 2026", "28 February 2026"),
        (BERLIN, "2026-02-10T08:30", "2026-02-28T23:00", "10 February 2026, 09:30", "28 February 2026"),
        (BERLIN, "2026-01-31T23:00", "2026-02-10T08:30", "1 February 2026", "10 February 2026, 09:30"),
        (BERLIN, "2026-12-31T23:00", "2027-01-31T23:00", "1 January 2027", "31 January 2027"),
        (BERLIN, "2026-02-28T23:00", "2026-02-28T23:00", "1 March 2026", "1 March 2026, 00:00"),  # it ended as it began
    ],
)
def test_a_period_is_written_as_days_of_its_time_zone(zone, starts, ends, first, last):
    assert period_days(at(starts), at(ends), zone) == (first, last)


@pytest.mark.parametrize(
    ("amount", "unit", "text"),
    [
        ("4.50", "0.01", "4.50"),
        ("4.125", "0.01", "4.125"),
        ("4", "1", "4"),
        ("40", "1", "40"),
        ("4.5", "0.001", "4.500"),
    ],
)
def test_money_has_the_decimals_of_its_currency_or_more_if_needed(amount, unit, text):
    assert money_text(Decimal(amount), Decimal(unit)) == text
