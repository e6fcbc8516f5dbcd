"""Decides how much usage is still to be reported, and what the meter's answer makes of a usage event: pure."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from billing.marketplace.usage_model import UsageResult, hour_of
from billing.metering.model import Alarm, UsageEvent, UsageState, Verdict


TAKEN_FOR: Final = dt.timedelta(hours=24)  # usage that is older is refused
UNTOLD: Final = "NotTold"
LISTED: Final = "Listed"
UNASKED: Final = "NotAsked"
HOUR_TAKEN: Final = "HourTaken"
ASKED_FOR: Final = dt.timedelta(hours=12)  # a list that cannot be had is an alarm from then on
_MS: Final = dt.timedelta(milliseconds=1)
_OPEN: Final = {UsageState.PENDING, UsageState.HELD}
_REFUSED: Final = {"ResourceNotFound", "ResourceNotAuthorized", "InvalidDimension", "InvalidQuantity", "BadArgument"}


def unreported(users: int, reported: int) -> int:
    """How many of a bill's users are still to be reported to the meter, which takes nothing back."""
    return max(0, users - reported)


def must_be_asked_for(event: UsageEvent) -> bool:
    """Whether nobody was told of an event yet, and its hour is not the last of its bill's period.

    What was told before the database was restored is a duplicate in that hour, and in another would be told twice.
    """
    ends_at = event.period_ends_at
    is_first = event.last_result in {None, UNASKED}
    return is_first and ends_at is not None and event.usage.slot not in {hour_of(ends_at), hour_of(ends_at - _MS)}


def first_day(event: UsageEvent) -> dt.date:
    """The first on which the usage of its bill can have been told."""
    ends_at = event.period_ends_at
    return event.usage.slot.date() if ends_at is None else min((ends_at - _MS).date(), event.usage.slot.date())


def before_sending(
    event: UsageEvent, *, listed: Decimal, beside: Sequence[UsageEvent], adopted: int, now: dt.datetime
) -> Verdict | None:
    """What an event of another hour than the last becomes by what the meter has since its period's end.

    None: nothing of it is there, so it is to be sent.
    """
    unlisted = Verdict(UsageState.ALARM, LISTED, Alarm.CONFLICT)
    seen = after_look(event, unlisted, listed=listed, beside=beside, adopted=adopted, now=now)
    return None if seen is unlisted else seen


def is_late(slot: dt.datetime, now: dt.datetime) -> bool:
    return now - slot >= TAKEN_FOR


def verdict(event: UsageEvent, result: UsageResult | None, now: dt.datetime) -> Verdict:
    """An event that is not told of, or only by a word that nobody knows, is sent again: its hour makes that safe."""
    if result is None:
        return Verdict(event.state, UNTOLD)
    if result.word in {"Accepted", "Duplicate"}:
        return _taken(event, result, now)
    return _not_taken(result.word, has_ended=event.has_ended, is_over=is_late(event.usage.slot, now))


def _not_taken(word: str, *, has_ended: bool, is_over: bool) -> Verdict:
    """Usage of a subscription that has ended is no longer held: an earlier hour can be given to it for a day only."""
    match word:
        case "Error":
            return Verdict(UsageState.PENDING, word)
        case "ResourceNotActive" if not is_over:
            return Verdict(UsageState.ALARM, word, Alarm.REFUSED) if has_ended else Verdict(UsageState.HELD, word)
        case "ResourceNotActive" | "Expired":
            return Verdict(UsageState.ALARM, word, Alarm.EXPIRED)
        case _:
            return Verdict(UsageState.ALARM if word in _REFUSED else UsageState.PENDING, word, Alarm.REFUSED)


def _taken(event: UsageEvent, result: UsageResult, now: dt.datetime) -> Verdict:
    """Ours, if the hour holds our quantity: then an earlier answer was lost. Another quantity is never overwritten."""
    duplicate = result.word == "Duplicate"
    quantity = result.recorded.quantity if duplicate else result.quantity
    event_id = result.recorded.usage_event_id if duplicate else result.usage_event_id
    if quantity == event.usage.quantity or (quantity is None and not duplicate):
        return Verdict(UsageState.ACCEPTED, result.word, usage_event_id=event_id)
    if quantity is None:  # a duplicate of what? It is asked again, as long as that may help
        is_over = is_late(event.usage.slot, now)
        return (
            Verdict(UsageState.ALARM, result.word, Alarm.EXPIRED)
            if is_over
            else Verdict(UsageState.PENDING, result.word)
        )
    return Verdict(UsageState.ALARM, result.word, Alarm.CONFLICT, event_id)


def may_have_arrived(event: UsageEvent, found: Verdict) -> bool:
    """Whether an earlier attempt, whose answer was lost, may have been taken though this one was refused."""
    return found.state is UsageState.ALARM and found.alarm is not Alarm.CONFLICT and event.attempts > 1


def is_doubtful(found: Verdict, adopted: int) -> bool:
    """Whether an hour that holds our quantity may hold that of an event which a restore lost.

    `adopted` are the units of the day that were adopted; their hours nobody knows.
    """
    return adopted > 0 and found.state is UsageState.ACCEPTED and found.word == "Duplicate"


def of_lost_event() -> Verdict:
    """What an event becomes whose hour a lost one has; it can be given another."""
    return Verdict(UsageState.ALARM, HOUR_TAKEN, Alarm.REFUSED)


def accepted_among(beside: Iterable[UsageEvent]) -> int:
    return sum(each.usage.quantity for each in beside if each.state is UsageState.ACCEPTED)


def after_look(
    event: UsageEvent, found: Verdict, *, listed: Decimal, beside: Sequence[UsageEvent], adopted: int, now: dt.datetime
) -> Verdict:
    """What an event that would be given up becomes, by what the meter has for its day.

    `beside` are the other events of the subscription, dimension and day. What is listed and neither accepted nor
    adopted belongs to those that were tried without a clear answer. Which of them does not matter where several fit, as
    long as they add up to it: the charged and the pending units are the same.
    """
    unsure = [each for each in beside if each.state in _OPEN and each.attempts > 0]
    if any(each.claimed_until not in {None, event.claimed_until} and each.claimed_until > now for each in unsure):
        return Verdict(UsageState.PENDING, found.word)  # somebody sends one of them right now
    unclaimed = listed - accepted_among(beside) - adopted
    arrived = _making(unclaimed, sorted((each.id, each.usage.quantity) for each in (*unsure, event)))
    if arrived is None:
        return replace(found, alarm=Alarm.CONFLICT)
    return Verdict(UsageState.ACCEPTED, LISTED) if event.id in arrived else found


def arrived_among(unknown: Decimal, open_events: Iterable[UsageEvent]) -> frozenset[int]:
    """The rows of open events that most likely make up what the meter has of a day and nobody here knows of.

    As much of it as can be: what is left over is of events that are lost here.
    """
    found = _sums(unknown, sorted((each.id, each.usage.quantity) for each in open_events))
    return found[max(found)]


def _making(total: Decimal, parts: Iterable[tuple[int, int]]) -> frozenset[int] | None:
    """The rows, of pairs of a row and its quantity, that add up to a total; None when none do."""
    return _sums(total, parts).get(int(total)) if total == int(total) else None


def _sums(most: Decimal, parts: Iterable[tuple[int, int]]) -> dict[int, frozenset[int]]:
    """Each sum of quantities up to the most, and rows, of pairs of a row and its quantity, that make it."""
    found: dict[int, frozenset[int]] = {0: frozenset()}
    for row, quantity in parts:
        for amount, rows in list(found.items()):
            if amount + quantity <= most:
                found.setdefault(amount + quantity, rows | {row})
    return found
