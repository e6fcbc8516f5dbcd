"""Rounded hours differ from their amounts by less than a hundredth, and add up to the rounded total."""

from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from reports.exports.hour_rules import HUNDREDTH, Shares, decimal_hours, rounded, shares


amounts = st.lists(st.integers(0, 40 * 3_600_000) | st.integers(0, 5).map(lambda n: n * HUNDREDTH // 3), max_size=40)


@given(amounts)
@example([HUNDREDTH // 3] * 3)
@example([HUNDREDTH // 2] * 2)
@example([0, HUNDREDTH, 1])
def test_shares_add_up_to_the_rounded_total(given_amounts):
    found = shares(given_amounts)

    assert sum(found) == rounded(sum(given_amounts))
    assert all(abs(Fraction(ms, HUNDREDTH) - share) < 1 for ms, share in zip(given_amounts, found, strict=True))


@given(amounts)
def test_the_largest_remainders_are_rounded_up(given_amounts):
    lost = [
        (ms % HUNDREDTH, share > ms // HUNDREDTH)
        for ms, share in zip(given_amounts, shares(given_amounts), strict=True)
    ]
    up, down = ([remainder for remainder, is_up in lost if is_up is wanted] for wanted in (True, False))

    assert not up or not down or min(up) >= max(down)


@given(st.lists(amounts, max_size=8))
def test_shares_of_shares_add_up_both_ways(lines):
    totals = shares([sum(line) for line in lines])
    cells = [shares(line, total) for line, total in zip(lines, totals, strict=True)]

    assert [sum(line) for line in cells] == totals
    assert sum(totals) == rounded(sum(map(sum, lines)))


def test_memory_does_not_grow_with_the_number_of_amounts():
    found = Shares()
    for number in range(200_000):
        found.add(number * 7)

    assert len(found._remainders) <= HUNDREDTH


def test_hours_have_two_places():
    assert [str(decimal_hours(number)) for number in (0, 5, 150)] == ["0.00", "0.05", "1.50"]
