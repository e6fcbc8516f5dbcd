"""The HTTP function of the timer log."""

from http import HTTPMethod, HTTPStatus

import azure.functions as func

from shared.errors import NotFound
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import PERSON, Answer, Operation
from shared.http.parsing import not_a_page_end, public_id, require_page
from shared.http.reply import Reply
from shared.tenancy import people
from timers.log import store as log_store
from timers.log.schemas import TimerLogItem, TimerLogPage, TimerLogQuery
from timers.log.store import LogEnd


blueprint = func.Blueprint()


@route(
    blueprint,
    Operation(
        id="list_timer_log",
        method=HTTPMethod.GET,
        path="timer-log",
        tag="timers",
        query=TimerLogQuery,
        answers={200: Answer("A page of the log", TimerLogPage)},
        problems=PERSON,
    ),
)
def list_timer_log(call: Call, query: TimerLogQuery) -> Reply:
    """Every start, stop, entry by hand, correction and removal, newest first.

    Your own; admins see everyone's. The log is only ever added to: it keeps every version of every entry, who made it
    and why.
    """
    end = _page_end(query.after)
    timer_id = public_id(query.timer_id)
    if query.timer_id is not None and timer_id is None:
        raise NotFound("There is no timer with this id.")
    with call.transaction() as tx:
        person = people.resolve_filter(tx, call.caller, query.user, everyone=call.sees_everyone)
        user_id = None if person is None else person.id
        most = query.page_size + 1
        tenant_id, viewer = call.caller.tenant.id, call.caller.user.id
        rows = log_store.page(
            tx,
            tenant_id,
            viewer=viewer,
            user_id=user_id,
            timer_id=timer_id,
            end=end,
            most=most,
        )
        require_page(rows, query.after)
        items = [TimerLogItem.of(row) for row in rows[: query.page_size]]
        link = query.link_after(items[-1]) if len(rows) > query.page_size else None
        return call.answer(tx, HTTPStatus.OK, TimerLogPage(items=items, next_link=link))


def _page_end(after: str | None) -> LogEnd | None:
    if after is None:
        return None
    timer_id, _, rest = after.partition(".")
    event, _, version = rest.partition(".")
    found = public_id(timer_id)
    if found is None or not event.isalpha() or not (version.isascii() and version.isdigit() and len(version) < 10):  # noqa: PLR2004 - far beyond any version
        raise not_a_page_end()
    return LogEnd(found, event, int(version))
