"""Puts what people do in the product on record, and finds it for their admins."""

import contextlib
import datetime as dt
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from shared.errors import FieldError, InvalidRequest
from shared.http.paging import invalid_cursor
from shared.log import get_logger, where
from shared.tenancy.model import Caller
from tenants.actions import store as actions_store
from tenants.actions.log.cursor import decode
from tenants.actions.log.model import Action, ActionLog, NotKept, row_key
from tenants.actions.rules import when


@dataclass(frozen=True, slots=True)
class Said:
    """An action as its sender tells it; `pointer` is its place in the request."""

    pointer: str
    action_type: str
    page: str
    at: dt.datetime | None


def tag_of(idempotency_key: str | None, new_id: uuid.UUID) -> str:
    """What tells this request's rows from any other's; a repeat with the same key makes the same."""
    if idempotency_key is None:
        return new_id.hex[:8]
    return hashlib.sha256(idempotency_key.encode()).hexdigest()[:8]


def to_actions(caller: Caller, said: Sequence[Said], *, now: dt.datetime, tag: str) -> list[Action]:
    """What is to be written, all of it or nothing.

    Raises:
        InvalidRequest: something is said to have happened too long ago, or not yet.
    """
    instants = [when(each.at, now) for each in said]
    wrong = [
        FieldError(f"{each.pointer}/at", "must be within the last 24 hours")
        for each, instant in zip(said, instants, strict=True)
        if instant is None
    ]
    if wrong:
        raise InvalidRequest(
            "Send an action within 24 hours, and not before it happens. Leave `at` out for now.",
            code="invalid_body",
            errors=wrong[:20],
        )
    user = caller.user.id
    return [
        Action(
            caller.tenant.id,
            user,
            row_key(instant, user_id=user, tag=tag, place=place),
            it.action_type,
            it.page,
            instant,
        )
        for place, (it, instant) in enumerate(zip(said, instants, strict=True))
        if instant is not None
    ]


def keep(log: ActionLog, actions: Sequence[Action], *, operation: str, request_id: str) -> int:
    """Writes them; how many could not be. No money hangs on the log, so its failure is told and counted, not raised."""
    try:
        log.append(actions)
    except Exception as error:  # noqa: BLE001 - whatever the log does, the caller goes on
        count, reason = (error.count, error.reason) if isinstance(error, NotKept) else (len(actions), "failed")
        facts = {"requestId": request_id, "operation": operation, "count": count, "reason": reason}
        get_logger().error("actions_dropped", **facts, **where(error.__cause__ or error))
        return count
    return 0


def page_end(tx: sa.Connection, caller: Caller, after: str | None) -> str | None:
    """The row key at which the page before ended.

    Raises:
        InvalidRequest: no page of this tenant ended there.
    """
    if after is None:
        return None
    with contextlib.suppress(ValueError):
        cursor = decode(after)
        found = actions_store.find(tx, caller.tenant.id, cursor.user)
        if found is not None:
            return cursor.row_key(found.id)
    raise invalid_cursor()
