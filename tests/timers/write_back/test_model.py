"""The arithmetic of the write-back: pending, sent and short hours, and the progress of an entry."""

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
    format_hours,
    hours_of,
    plan_attempt,
    progress_for,
    progress_of_entry,
    remaining_after,
    to_places,
)


HOURS = st.decimals(min_value=0, max_value=10_000, places=4)
SHOWN = st.one_of(st.none(), st.decimals(min_value=0, max_value=10_000, places=7))
MS = st.integers(0, 10**9)
ZERO, FEW = Decimal(0), Decimal("0.0007")


def test_three_thirds_of_an_hour_are_one():
    assert hours_of(3 * 1_200_000) == 1


@given(target_ms=MS, written=HOURS, above=HOURS)
def test_pending_hours_are_sent_but_for_short_ones(target_ms, written, above):
    balance = Balance(target_ms, written, max(ZERO, written - above))
    send = balance.to_send()

    assert balance.written + balance.pending == hours_of(target_ms)
    assert written + send == max(hours_of(target_ms), balance.lowest)
    assert balance.pending - send == -balance.short <= 0
    assert balance.to_send(takes_short=True) == balance.pending


@given(target_ms=MS, written=HOURS, above=HOURS, shown=SHOWN, takes=st.booleans())
@example(target_ms=0, written=FEW, above=FEW, shown=Decimal("0.0006501"), takes=False).via("a difference rounded up")
def test_a_write_changes_the_field_by_the_sent_hours_or_to_zero_and_the_rest_is_short(
    target_ms, written, above, shown, takes
):
    balance = Balance(target_ms, written, max(ZERO, written - above))
    send = balance.to_send(takes_short=takes)
    attempt = plan_attempt(3, shown, send, number=1, batch=1, short=ZERO if takes else balance.short)
    after = attempt.hours_from(shown)
    landed = balance.after(attempt, attempt.difference)

    assert after >= 0
    assert to_places(after - (shown or 0)) == attempt.difference == attempt.after - attempt.before
    assert attempt.difference == send or after == 0
    assert landed.to_send() == 0
    assert abs(landed.pending) == landed.short


@given(target_ms=MS, written=HOURS, above=HOURS, added_ms=MS)
def test_added_hours_reduce_the_short_ones_which_never_grow_by_themselves(target_ms, written, above, added_ms):
    lowest = max(ZERO, written - above)
    before, after = Balance(target_ms, written, lowest), Balance(target_ms + added_ms, written, lowest)

    assert after.short <= before.short
    assert after.to_send() >= before.to_send()


@given(target_ms=MS, cut=HOURS, added_ms=MS, shown=HOURS)
def test_time_added_and_removed_after_a_cut_subtracts_nothing_of_others(target_ms, cut, added_ms, shown):
    at_rest = Balance(target_ms, hours_of(target_ms) + cut, hours_of(target_ms) + cut)
    balance, field = replace(at_rest, target_ms=target_ms + added_ms), shown
    for target in (target_ms + added_ms, target_ms):
        balance = replace(balance, target_ms=target)
        send = balance.to_send()
        attempt = plan_attempt(1, field, send, number=1, batch=1, short=balance.short)
        balance, field = balance.after(attempt, attempt.difference), field + attempt.difference

    assert field == shown
    assert balance.short == at_rest.short == cut


@pytest.mark.parametrize(
    ("pending", "sent"), [("0.0004", 0), ("0.0005", "0.0005"), ("-0.0004", 0), ("-0.0005", "-0.0005")]
)
def test_a_remainder_of_single_roundings_is_sent_with_the_next_real_change(pending, sent):
    migrated = Balance(3_600_000, 1 - Decimal(pending), ZERO, is_migrated=True)

    assert migrated.to_send() == Decimal(sent)
    assert Balance(3_600_000, 1 - Decimal(pending), ZERO).to_send() == Decimal(pending)


@given(before=HOURS, difference=st.decimals(-10_000, 10_000, places=4), taken=HOURS)
def test_remaining_work_is_lowered_to_zero_at_most_and_raised_by_the_taken_hours_at_most(before, difference, taken):
    after = remaining_after(before, difference, taken=taken)

    assert after >= 0
    assert before - max(difference, ZERO) <= after <= before + min(taken, max(-difference, ZERO))


def test_a_negative_value_that_somebody_entered_is_not_raised():
    attempt = plan_attempt(1, Decimal(-1), Decimal(-2), number=1, batch=1, short=ZERO)

    assert (attempt.difference, attempt.short_after) == (ZERO, Decimal(2))
    assert plan_attempt(1, Decimal(-1), Decimal(2), number=1, batch=1, short=ZERO).after == 1


@pytest.mark.parametrize(("hours", "text"), [("0.5", "+0.5"), ("-1", "-1"), ("0.3333", "+0.3333"), ("10", "+10")])
def test_hours_are_formatted_without_trailing_zeros(hours, text):
    assert format_hours(Decimal(hours), signed=True) == text


def change(delta_ms=1, batch=None, state=None, reason=None, *, settled=0, is_active=True, **more):
    balance = Balance(0, Decimal(1), Decimal(1)) if more.pop("short", False) else Balance(0, ZERO, ZERO)
    values = {"item": (1, 1), "short_batch": 1, "balance": balance, **more}
    return Change(
        delta_ms=delta_ms, batch=batch, is_active=is_active, state=state, reason=reason, settled_batch=settled, **values
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
        ([change(1, 1, **FAILED), change(-1, has_open_attempt=True, **FAILED)], True, "azure_devops_forbidden"),
        ([change(1, 1, settled=1), change(item=(1, 2))], True, "not_sent"),
        ([change(1), change(-1, item=(1, 2))], True, "not_sent"),
        ([], True, None),
    ],
)
def test_an_entry_has_the_most_urgent_progress_of_its_changes(changes, is_on, reason):
    progress = progress_of_entry(changes, is_on=is_on)

    assert progress.reason == reason
    assert (progress.state is WriteBack.DONE) == (reason is None)


def test_every_reason_has_a_text_and_the_people_who_can_help():
    short = progress_for("short", short=Decimal("1.5"))

    assert short.detail is not None
    assert short.detail.startswith("1.5 h could not be subtracted")
    assert progress_for("no_field").help is Help.NOBODY
    assert progress_for("a code of tomorrow").state is WriteBack.PENDING
