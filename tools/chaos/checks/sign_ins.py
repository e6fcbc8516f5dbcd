"""Compares the stored last sign-in of a person with the acknowledged ones."""

import datetime as dt
from collections.abc import Iterator

from tools.chaos.checks.database import PersonRows
from tools.chaos.checks.violation import Violation
from tools.chaos.clients.history import History, Operation, Outcome
from tools.chaos.cloud.clocks import ClockOffsets


def check_sign_ins(history: History, rows: PersonRows, clocks: ClockOffsets) -> Iterator[Violation]:
    """The account and one month have the last acknowledged sign-in, or a later one with an unknown result."""
    last_sign_ins = find_last_sign_ins(history.operations)
    if not last_sign_ins:
        return
    if not rows.accounts:
        yield Violation("lost", "no account after a sign-in", (last_sign_ins[0].describe(),))
        return
    spans = [clocks.possible_times(each.sent_at, each.done_by) for each in last_sign_ins]

    def is_recorded(at: dt.datetime | None) -> bool:
        return at is not None and any(first <= at <= end for first, end in spans)

    if not is_recorded(rows.account_signed_in) or not any(is_recorded(at) for at in rows.months_signed_in):
        stored = f"account {rows.account_signed_in}, months {[str(at) for at in rows.months_signed_in]}"
        detail = f"an acknowledged sign-in is not stored: {stored}"
        yield Violation("lost", detail, (last_sign_ins[0].describe(),))


def find_last_sign_ins(operations: list[Operation]) -> list[Operation]:
    """The last acknowledged sign-in, and those that may have been done after it; empty without an acknowledged one."""
    sign_ins = [each for each in operations if is_sign_in(each) and each.outcome is not Outcome.REFUSED]
    acknowledged = [each for each in sign_ins if each.outcome is Outcome.ACKNOWLEDGED]
    if not acknowledged:
        return []
    return [
        acknowledged[-1],
        *(each for each in sign_ins if each.outcome is Outcome.UNKNOWN and each.done_by >= acknowledged[-1].sent_at),
    ]


def is_sign_in(operation: Operation) -> bool:
    return operation.method == "POST" and operation.path in {"sign-in", "tenants"}
