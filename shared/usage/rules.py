"""Decides what the meter's answer makes of a usage event: pure."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Final

from shared.marketplace.model_usage import UsageResult
from shared.usage.model import Alarm, Owed, UsageState, Verdict


TAKEN_FOR: Final = dt.timedelta(hours=24)  # usage that is older is refused
UNTOLD: Final = "NotTold"
LISTED: Final = "Listed"
_REFUSED: Final = {"ResourceNotFound", "ResourceNotAuthorized", "InvalidDimension", "InvalidQuantity", "BadArgument"}


def is_late(slot: dt.datetime, now: dt.datetime) -> bool:
    return now - slot >= TAKEN_FOR


def verdict(owed: Owed, result: UsageResult | None, now: dt.datetime) -> Verdict:
    """An event that is not told of, or only by a word that nobody knows, is sent again: its hour makes that safe."""
    if result is None:
        return Verdict(owed.state, UNTOLD)
    if result.word in {"Accepted", "Duplicate"}:
        return _taken(owed, result, now)
    return _not_taken(result.word, is_over=is_late(owed.usage.slot, now))


def _not_taken(word: str, *, is_over: bool) -> Verdict:
    match word:
        case "Error":
            return Verdict(UsageState.PENDING, word)
        case "ResourceNotActive" if not is_over:
            return Verdict(UsageState.HELD, word)
        case "ResourceNotActive" | "Expired":
            return Verdict(UsageState.ALARM, word, Alarm.EXPIRED)
        case _:
            return Verdict(UsageState.ALARM if word in _REFUSED else UsageState.PENDING, word, Alarm.REFUSED)


def _taken(owed: Owed, result: UsageResult, now: dt.datetime) -> Verdict:
    """Ours, if the hour holds our quantity: then an earlier answer was lost. Another quantity is never overwritten."""
    duplicate = result.word == "Duplicate"
    quantity = result.recorded.quantity if duplicate else result.quantity
    event_id = result.recorded.usage_event_id if duplicate else result.usage_event_id
    if quantity == owed.usage.quantity or (quantity is None and not duplicate):
        return Verdict(UsageState.ACCEPTED, result.word, usage_event_id=event_id)
    if quantity is None:  # a duplicate of what? It is asked again, as long as that may help
        is_over = is_late(owed.usage.slot, now)
        return (
            Verdict(UsageState.ALARM, result.word, Alarm.EXPIRED)
            if is_over
            else Verdict(UsageState.PENDING, result.word)
        )
    return Verdict(UsageState.ALARM, result.word, Alarm.CONFLICT, event_id)


def may_have_arrived(owed: Owed, found: Verdict) -> bool:
    """Whether an earlier attempt, whose answer was lost, may have been taken though this one was refused."""
    return found.state is UsageState.ALARM and found.alarm is not Alarm.CONFLICT and owed.attempts > 1


def after_look(owed: Owed, found: Verdict, *, listed: Decimal, others: int) -> Verdict:
    """`listed` is what the meter has for the day, `others` what the day's other accepted events come to."""
    if listed - others == owed.usage.quantity:
        return Verdict(UsageState.ACCEPTED, LISTED)
    return found if listed == others else replace(found, alarm=Alarm.CONFLICT)
