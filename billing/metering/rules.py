"""Decides how much usage is still to be reported, and the state of a usage event after the meter's response: pure."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from billing.marketplace.usage_model import UsageResult, hour_of
from billing.metering.model import Alarm, UsageEvent, UsageState, Verdict


TAKEN_FOR: Final = dt.timedelta(hours=24)  # usage that is older is refused
NO_RESULT: Final = "NotTold"
LISTED: Final = "Listed"
NOT_ASKED: Final = "NotAsked"
HOUR_TAKEN: Final = "HourTaken"
MAX_WAIT_FOR_LIST: Final = dt.timedelta(hours=12)  # a list that cannot be had is an alarm from then on
_MS: Final = dt.timedelta(milliseconds=1)
_OPEN: Final = {UsageState.PENDING, UsageState.HELD}
_REFUSED: Final = {"ResourceNotFound", "ResourceNotAuthorized", "InvalidDimension", "InvalidQuantity", "BadArgument"}


def unreported(users: int, reported: int) -> int:
    """The number of a bill's users still to be reported; the meter takes nothing back."""
    return max(0, users - reported)


def must_check_meter(event: UsageEvent) -> bool:
    """Whether an event was never sent, and its hour is not the last of its bill's period.

    Usage reported before a restore of the database is a duplicate in that hour; in another hour it would count twice.
    """
    ends_at = event.period_ends_at
    is_first = event.last_result in {None, NOT_ASKED}
    return is_first and ends_at is not None and event.usage.slot not in {hour_of(ends_at), hour_of(ends_at - _MS)}


def first_day(event: UsageEvent) -> dt.date:
    """The first day of UTC on which the usage of its bill can have been reported."""
    ends_at = event.period_ends_at
    return event.usage.slot.date() if ends_at is None else min((ends_at - _MS).date(), event.usage.slot.date())


def verdict_before_sending(
    event: UsageEvent, *, listed: Decimal, others: Sequence[UsageEvent], adopted: int, now: dt.datetime
) -> Verdict | None:
    """The verdict on an event by the meter's list since its period's end; None if it is to be sent."""
    unlisted = Verdict(UsageState.ALARM, LISTED, Alarm.CONFLICT)
    seen = verdict_after_listing(event, unlisted, listed=listed, others=others, adopted=adopted, now=now)
    return None if seen is unlisted else seen


def is_late(slot: dt.datetime, now: dt.datetime) -> bool:
    return now - slot >= TAKEN_FOR


def verdict(event: UsageEvent, result: UsageResult | None, now: dt.datetime) -> Verdict:
    """An event without a result, or with an unknown one, is sent again: the meter accepts one event for an hour."""
    if result is None:
        return Verdict(event.state, NO_RESULT)
    if result.word in {"Accepted", "Duplicate"}:
        return _accepted(event, result, now)
    return _not_accepted(result.word, has_ended=event.has_ended, is_over=is_late(event.usage.slot, now))


def _not_accepted(word: str, *, has_ended: bool, is_over: bool) -> Verdict:
    """Usage of an ended subscription is an alarm at once: it can get an earlier hour for one day only."""
    match word:
        case "Error":
            return Verdict(UsageState.PENDING, word)
        case "ResourceNotActive" if not is_over:
            return Verdict(UsageState.ALARM, word, Alarm.REFUSED) if has_ended else Verdict(UsageState.HELD, word)
        case "ResourceNotActive" | "Expired":
            return Verdict(UsageState.ALARM, word, Alarm.EXPIRED)
        case _:
            return Verdict(UsageState.ALARM if word in _REFUSED else UsageState.PENDING, word, Alarm.REFUSED)


def _accepted(event: UsageEvent, result: UsageResult, now: dt.datetime) -> Verdict:
    """Accepted if the hour has our quantity: then an earlier response was lost. Another quantity is a conflict."""
    duplicate = result.word == "Duplicate"
    quantity = result.recorded.quantity if duplicate else result.quantity
    event_id = result.recorded.usage_event_id if duplicate else result.usage_event_id
    if quantity == event.usage.quantity or (quantity is None and not duplicate):
        return Verdict(UsageState.ACCEPTED, result.word, usage_event_id=event_id)
    if quantity is None:  # a duplicate of unknown quantity is sent again while that can help
        is_over = is_late(event.usage.slot, now)
        return (
            Verdict(UsageState.ALARM, result.word, Alarm.EXPIRED)
            if is_over
            else Verdict(UsageState.PENDING, result.word)
        )
    return Verdict(UsageState.ALARM, result.word, Alarm.CONFLICT, event_id)


def may_have_arrived(event: UsageEvent, found: Verdict) -> bool:
    """Whether an earlier attempt with a lost response may have been accepted although this one was refused."""
    return found.state is UsageState.ALARM and found.alarm is not Alarm.CONFLICT and event.attempts > 1


def may_be_lost_event(found: Verdict, adopted: int) -> bool:
    """Whether an hour with our quantity may be that of an event that a restore lost.

    `adopted` are the day's adopted units; their hours are unknown.
    """
    return adopted > 0 and found.state is UsageState.ACCEPTED and found.word == "Duplicate"


def verdict_of_lost_event() -> Verdict:
    """The verdict on an event if a lost event has its hour; it can be rescheduled."""
    return Verdict(UsageState.ALARM, HOUR_TAKEN, Alarm.REFUSED)


def accepted_among(others: Iterable[UsageEvent]) -> int:
    return sum(each.usage.quantity for each in others if each.state is UsageState.ACCEPTED)


def verdict_after_listing(
    event: UsageEvent, found: Verdict, *, listed: Decimal, others: Sequence[UsageEvent], adopted: int, now: dt.datetime
) -> Verdict:
    """The verdict on an event by the meter's list of its day.

    `others` are the other events of the subscription, dimension and day. Listed units that are neither
    accepted nor adopted belong to events without a clear response. If several combinations fit, any will do: charged
    and pending units stay the same.
    """
    unclear = [each for each in others if each.state in _OPEN and each.attempts > 0]
    if any(each.claimed_until not in {None, event.claimed_until} and each.claimed_until > now for each in unclear):
        return Verdict(UsageState.PENDING, found.word)  # another process is sending one of them
    unclaimed = listed - accepted_among(others) - adopted
    arrived = _rows_with_sum(unclaimed, sorted((each.id, each.usage.quantity) for each in (*unclear, event)))
    if arrived is None:
        return replace(found, alarm=Alarm.CONFLICT)
    return Verdict(UsageState.ACCEPTED, LISTED) if event.id in arrived else found


def accepted_ids(unknown: Decimal, open_events: Iterable[UsageEvent]) -> frozenset[int]:
    """The ids of open events whose quantities best explain the meter's unknown units of a day.

    The rest belongs to events that were lost here.
    """
    found = _sums(unknown, sorted((each.id, each.usage.quantity) for each in open_events))
    return found[max(found)]


def _rows_with_sum(total: Decimal, parts: Iterable[tuple[int, int]]) -> frozenset[int] | None:
    """The ids whose quantities add up to a total; None if none do. `parts` are pairs of id and quantity."""
    return _sums(total, parts).get(int(total)) if total == int(total) else None


def _sums(limit: Decimal, parts: Iterable[tuple[int, int]]) -> dict[int, frozenset[int]]:
    """Each possible sum of quantities up to a limit, with ids that add up to it."""
    found: dict[int, frozenset[int]] = {0: frozenset()}
    for row, quantity in parts:
        for amount, rows in list(found.items()):
            if amount + quantity <= limit:
                found.setdefault(amount + quantity, rows | {row})
    return found
