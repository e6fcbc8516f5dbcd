"""The HTTP function of the timer log."""

import re
from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func

from shared.errors import NotFound
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import PERSON, Answer, Operation
from shared.http.paging import invalid_cursor
from shared.http.parsing import public_id
from shared.http.reply import Reply
from shared.instants import parse_rfc3339, rfc3339
from shared.tenancy import people
from timers.log import store as log_store
from timers.log.schemas import TimerLogItem, TimerLogPage, TimerLogQuery
from timers.log.store import LogCursor, LogFilters, LogRow


blueprint = func.Blueprint()
_CURSOR: Final = re.compile(r"\A([^.]+)\.([a-z]+)\.([0-9]{1,9})\.(.+)\Z")


@route(
    blueprint,
    Operation(
        id="list_timer_log",
        method=HTTPMethod.GET,
        path="timer-log",
        tag="timers",
        query=TimerLogQuery,
        answers={200: Answer("A page of events", TimerLogPage)},
        problems=PERSON,
    ),
)
def list_timer_log(call: Call, query: TimerLogQuery) -> Reply:
    """List the timer log.

    Starts, changes of running timers, stops, manual entries, corrections and deletions, newest first: your own, for
    admins everyone's. The log is append-only and has every version of every entry, with its author and the reason.
    `from` and `to` are days on which the event was recorded, `receivedAt`. `happenedAt` of a `changed` event is the
    timer's start from then on.
    """
    after = _parse_cursor(query.after)
    timer_id = public_id(query.timer_id)
    if query.timer_id is not None and timer_id is None:
        raise NotFound("There is no such timer.")
    with call.transaction() as tx:
        person = people.resolve_filter(tx, call.caller, query.user, everyone=call.sees_everyone)
        tenant, viewer = call.caller.tenant, call.caller.user.id
        filters = LogFilters(
            user_id=None if person is None else person.id,
            timer_id=timer_id,
            event=query.event,
            period=query.period(tenant.zone),
        )
        rows = log_store.read_page(tx, tenant.id, filters, viewer=viewer, after=after, limit=query.limit)
        query.require_rows(rows)
        items = [TimerLogItem.of(row) for row in rows[: query.page_size]]
        link = query.next_link(call.link("timer-log"), rows, _cursor)
        return call.answer(tx, HTTPStatus.OK, TimerLogPage(items=items, next_link=link))


def _cursor(row: LogRow) -> str:
    return f"{row.timer_id}.{row.event}.{row.entry_version}.{rfc3339(row.received_at)}"


def _parse_cursor(after: str | None) -> LogCursor | None:
    if after is None:
        return None
    match = _CURSOR.match(after)
    timer_id = public_id(match[1]) if match else None
    if match is None or timer_id is None:
        raise invalid_cursor()
    try:
        return LogCursor(timer_id, match[2], int(match[3]), parse_rfc3339(match[4]))
    except ValueError as error:
        raise invalid_cursor() from error
