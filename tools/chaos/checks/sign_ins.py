"""Compares the last sign-in that is kept of a person with those that were acknowledged."""

import datetime as dt
from collections.abc import Iterator

from tools.chaos.checks.database import Kept
from tools.chaos.checks.violation import Violation
from tools.chaos.clients.history import History, Operation, Outcome
from tools.chaos.cloud.clocks import Clocks


def check(history: History, kept: Kept, clocks: Clocks) -> Iterator[Violation]:
    """The account and one of the months tell of the last one; or of one since, of which nobody knows."""
    newest = last(history.operations)
    if not newest:
        return
    if not kept.accounts:
        yield Violation("lost", "somebody who signed in has no account", (newest[0].told(),))
        return
    spans = [clocks.span(each.sent_at, each.done_by) for each in newest]

    def is_told(at: dt.datetime | None) -> bool:
        return at is not None and any(first <= at <= end for first, end in spans)

    if not is_told(kept.account_signed_in) or not any(is_told(at) for at in kept.months_signed_in):
        told = f"by the account {kept.account_signed_in}, by the months {[str(at) for at in kept.months_signed_in]}"
        yield Violation("lost", f"a sign-in that was acknowledged is not kept: {told}", (newest[0].told(),))


def last(operations: list[Operation]) -> list[Operation]:
    """The last sign-in that was acknowledged, and those that may have been done after it; none without the first."""
    asked = [each for each in operations if is_sign_in(each) and each.outcome is not Outcome.REFUSED]
    told = [each for each in asked if each.outcome is Outcome.ACKNOWLEDGED]
    if not told:
        return []
    return [told[-1], *(each for each in asked if each.outcome is Outcome.UNKNOWN and each.done_by >= told[-1].sent_at)]


def is_sign_in(asked: Operation) -> bool:
    return asked.method == "POST" and asked.path in {"sign-in", "tenants"}
