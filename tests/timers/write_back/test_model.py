"""The arithmetic of the write-back: what is owed, what is sent, what is cut at 0, and what an entry tells."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from timers.write_back.model import (
    Balance,
    Change,
    Help,
    WriteBack,
    attempt_at,
    because,
    hours_of,
    remaining_after,
    spelled,
    standing_of,
    to_places,
)


HOURS = st.decimals(min_value=0, max_value=10_000, places=4)
SHOWN = st.one_of(st.none(), st.decimals(min_value=0, max_value=10_000, places=7))
MS = st.integers(0, 10**9)
ZERO, FEW = Decimal(0), Decimal("0.0007")


def test_three_thirds_of_an_hour_are_one():
    assert hours_of(3 * 1_200_000) == 1


@given(target_ms=MS, written=HOURS, above=HOURS)
def test_what_is_owed_is_sent_but_for_what_could_not_be_taken(target_ms, written, above):
    balance = Balance(target_ms, written, max(ZERO, written - above))
    send = balance.to_send()

    assert balance.written + balance.owed == hours_of(target_ms)
    assert written + send == max(hours_of(target_ms), balance.lowest)
    assert balance.owed - send == -balance.missing <= 0
    assert balance.to_send(takes_missing=True) == balance.owed


@given(target_ms=MS, written=HOURS, above=HOURS, shown=SHOWN, takes=st.booleans())
@example(target_ms=0, written=FEW, above=FEW, shown=Decimal("0.0006501"), takes=False).via("a move rounded up")
def test_a_write_moves_by_what_is_sent_or_to_zero_and_the_rest_is_missing(target_ms, written, above, shown, takes):
    balance = Balance(target_ms, written, max(ZERO, written - above))
    send = balance.to_send(takes_missing=takes)
    attempt = attempt_at(3, shown, send, number=1, batch=1, short=ZERO if takes else balance.missing)
    after = attempt.hours_from(shown)
    landed = balance.landed(attempt, attempt.moves)

    assert after >= 0
    assert to_places(after - (shown or 0)) == attempt.moves == attempt.after - attempt.before
    assert attempt.moves == send or after == 0
    assert landed.to_send() == 0
    assert abs(landed.owed) == landed.missing


@given(target_ms=MS, written=HOURS, above=HOURS, added_ms=MS)
def test_what_is_missing_is_set_against_what_is_added_and_never_grows_by_itself(target_ms, written, above, added_ms):
    lowest = max(ZERO, written - above)
    before, after = Balance(target_ms, written, lowest), Balance(target_ms + added_ms, written, lowest)

    assert after.missing <= before.missing
    assert after.to_send() >= before.to_send()


@given(target_ms=MS, cut=HOURS, added_ms=MS, shown=HOURS)
def test_time_that_comes_and_goes_after_a_cut_takes_nothing_from_what_others_entered(target_ms, cut, added_ms, shown):
    at_rest = Balance(target_ms, hours_of(target_ms) + cut, hours_of(target_ms) + cut)
    balance, field = replace(at_rest, target_ms=target_ms + added_ms), shown
    for target in (target_ms + added_ms, target_ms):
        balance = replace(balance, target_ms=target)
        send = balance.to_send()
        attempt = attempt_at(1, field, send, number=1, batch=1, short=balance.missing)
        balance, field = balance.landed(attempt, attempt.moves), field + attempt.moves

    assert field == shown
    assert balance.missing == at_rest.missing == cut


@pytest.mark.parametrize(
    ("owed", "sent"), [("0.0004", 0), ("0.0005", "0.0005"), ("-0.0004", 0), ("-0.0005", "-0.0005")]
)
def test_what_single_roundings_left_over_is_sent_with_the_next_real_change(owed, sent):
    migrated = Balance(3_600_000, 1 - Decimal(owed), ZERO, is_migrated=True)

    assert migrated.to_send() == Decimal(sent)
    assert Balance(3_600_000, 1 - Decimal(owed), ZERO).to_send() == Decimal(owed)


@given(before=HOURS, moves=st.decimals(-10_000, 10_000, places=4), taken=HOURS)
def test_remaining_work_is_lowered_to_zero_at_most_and_given_back_what_was_taken_at_most(before, moves, taken):
    after = remaining_after(before, moves, taken=taken)

    assert after >= 0
    assert before - max(moves, ZERO) <= after <= before + min(taken, max(-moves, ZERO))


def test_less_than_nothing_that_somebody_typed_is_not_raised():
    attempt = attempt_at(1, Decimal(-1), Decimal(-2), number=1, batch=1, short=ZERO)

    assert (attempt.moves, attempt.short_after) == (ZERO, Decimal(2))
    assert attempt_at(1, Decimal(-1), Decimal(2), number=1, batch=1, short=ZERO).after == 1


@pytest.mark.parametrize(("hours", "text"), [("0.5", "+0.5"), ("-1", "-1"), ("0.3333", "+0.3333"), ("10", "+10")])
def test_hours_are_spelled_without_idle_places(hours, text):
    assert spelled(Decimal(hours), signed=True) == text


def change(delta_ms=1, batch=None, state=None, reason=None, *, settled=0, is_active=True, **more):
    balance = Balance(0, Decimal(1), Decimal(1)) if more.pop("short", False) else Balance(0, ZERO, ZERO)
    known = {"item": (1, 1), "short_batch": 1, "balance": balance, **more}
    return Change(
        delta_ms=delta_ms, batch=batch, is_active=is_active, state=state, reason=reason, settled_batch=settled, **known
    )


FAILED = {"state": WriteBack.FAILED, "reason": "azure_devops_forbidden"}


@pytest.mark.parametrize(
    ("changes", "is_on", "reason"),
    [
        ([change(batch=1, settled=1)], True, None),
        ([change()], True, "not_sent"),
        ([change(batch=2, settled=1, **FAILED)], True, "azure_devops_forbidden"),
        ([change(**FAILED)], True, "not_sent"),
        ([change(state=WriteBack.NO_FIELD, reason="no_field")], True, "no_field"),
        ([change(batch=2, settled=1, state=WriteBack.DONE)], True, "not_sent"),
        ([change()], False, "write_back_off"),
        ([change(batch=1, settled=1)], False, None),
        ([change(is_active=False)], True, "organization_inactive"),
        ([change(-1, 1, settled=1, short=True)], True, "short"),
        ([change(1, 1, settled=1, short=True)], True, None),
        ([change(1, 1, **FAILED), change(-1, **FAILED)], True, None),
        ([change(1, 1, **FAILED), change(-1, may_land=True, **FAILED)], True, "azure_devops_forbidden"),
        ([change(1, 1, settled=1), change(item=(1, 2))], True, "not_sent"),
        ([change(1), change(-1, item=(1, 2))], True, "not_sent"),
        ([], True, None),
    ],
)
def test_an_entry_tells_what_to_look_at_first(changes, is_on, reason):
    standing = standing_of(changes, is_on=is_on)

    assert standing.reason == reason
    assert (standing.state is WriteBack.DONE) == (reason is None)


def test_every_reason_tells_a_person_what_happened_and_who_can_help():
    short = because("short", short=Decimal("1.5"))

    assert short.detail is not None
    assert short.detail.startswith("1.5 h could not be taken")
    assert because("no_field").help is Help.NOBODY
    assert because("a code of tomorrow").state is WriteBack.PENDING
