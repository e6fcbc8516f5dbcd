"""Builds and appends actions, and resolves the cursor of a page of them."""

import contextlib
import datetime as dt
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from shared.errors import FieldError, InvalidRequest
from shared.http.paging import invalid_cursor
from shared.log import exception_fields, get_logger
from shared.tenancy.model import User
from shared.work import Work
from tenants.actions import store as actions_store
from tenants.actions.log.cursor import decode
from tenants.actions.log.model import Action, ActionLog, AppendFailed, row_key
from tenants.actions.rules import resolve_time


@dataclass(frozen=True, slots=True)
class SentAction:
    """An action in a request; `pointer` is its place there."""

    pointer: str
    action_type: str
    page: str
    at: dt.datetime | None


def request_tag(idempotency_key: str | None, new_id: uuid.UUID) -> str:
    """A tag for the rows of one request; a repeat with the same key has the same tag."""
    if idempotency_key is None:
        return new_id.hex[:8]
    return hashlib.sha256(idempotency_key.encode()).hexdigest()[:8]


def build_actions(work: Work, user: User, sent: Sequence[SentAction], *, tag: str) -> list[Action]:
    """The actions to append, all or none.

    Raises:
        InvalidRequest: the time of an action is too old or in the future.
    """
    times = [resolve_time(each.at, work.now) for each in sent]
    errors = [
        FieldError(f"{each.pointer}/at", "must be within the last 24 hours")
        for each, time in zip(sent, times, strict=True)
        if time is None
    ]
    if errors:
        raise InvalidRequest(
            "An action can be recorded for 24 hours after it happened, and not before.",
            code="invalid_body",
            errors=errors[:20],
        )
    return [
        Action(
            work.tenant.id,
            user.id,
            row_key(time, user_id=user.id, tag=tag, place=place),
            each.action_type,
            each.page,
            time,
        )
        for place, (each, time) in enumerate(zip(sent, times, strict=True))
        if time is not None
    ]


def append(log: ActionLog, actions: Sequence[Action], *, operation: str, request_id: str) -> int:
    """Appends actions; returns the number of lost ones. A failure is only logged: no money depends on the log."""
    try:
        log.append(actions)
    except Exception as error:  # noqa: BLE001 - a failure of the log must not fail the request
        count, reason = (error.count, error.reason) if isinstance(error, AppendFailed) else (len(actions), "failed")
        fields = {"requestId": request_id, "operation": operation, "count": count, "reason": reason}
        get_logger().error("actions_dropped", **fields, **exception_fields(error.__cause__ or error))
        return count
    return 0


def resolve_cursor(tx: sa.Connection, tenant_id: int, after: str | None) -> str | None:
    """The row key in a cursor; None without one.

    Raises:
        InvalidRequest: no page of this tenant has this cursor.
    """
    if after is None:
        return None
    with contextlib.suppress(ValueError):
        cursor = decode(after)
        user_id = actions_store.find_user_id(tx, tenant_id, cursor.user)
        if user_id is not None:
            return cursor.row_key(user_id)
    raise invalid_cursor()
