"""The HTTP functions of erasure: request, list, withdraw, and choose mentions that stay."""

from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from privacy.erasure import mention_service
from privacy.erasure.mention_schemas import ChooseMentions, Mentions
from privacy.requests import submission
from privacy.requests.schemas import ErasureRequest, ErasureRequests, RequestErasure
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import NOT_FOUND, Answer, Operation, merge_problems
from shared.http.parsing import public_id
from shared.http.reply import Reply


blueprint = func.Blueprint()
_TAG: Final = "privacy"
_MAX_LISTED: Final = 200


@route(
    blueprint,
    Operation(
        id="request_erasure",
        method=HTTPMethod.POST,
        path="privacy/erasure",
        tag=_TAG,
        locks_tenant=True,
        body=RequestErasure,
        answers={201: Answer("Scheduled, or on hold", ErasureRequest), 200: Answer("The open request", ErasureRequest)},
        problems=merge_problems(
            NOT_FOUND, {400: ("not_confirmed",), 403: ("role_required",), 409: ("last_super_admin",)}
        ),
    ),
)
def request_erasure(call: Call, body: RequestErasure) -> Reply:
    """Request an erasure.

    Of yourself, and as a super admin of a member or of the whole organization. It is executed after three days, in
    which it can be withdrawn, and at the latest after 30, unless a law or an open bill holds it; the response has the
    reason. The account is closed, and a random pseudonym replaces the person everywhere; hours, counts and bills stay.
    An organization's data is removed except for its bills. For an open request the status is 200.
    """
    with call.transaction() as tx:
        wanted = body.to_request()
        request, is_new = submission.submit(call.work(tx), call.caller.user, wanted, sees_everyone=call.sees_everyone)
        return call.answer(tx, HTTPStatus.CREATED if is_new else HTTPStatus.OK, ErasureRequest.of(request))


@route(
    blueprint,
    Operation(
        id="list_erasures",
        method=HTTPMethod.GET,
        path="privacy/erasure",
        tag=_TAG,
        answers={200: Answer("The newest 200", ErasureRequests)},
    ),
)
def list_erasures(call: Call) -> Reply:
    """Erasure requests, newest first.

    The list has the requests about you; for super admins, those of the whole organization.
    """
    with call.transaction() as tx:
        found = submission.list_newest(tx, call.caller, sees_everyone=call.sees_everyone, limit=_MAX_LISTED)
        items = [ErasureRequest.of(request) for request in found]
        return call.answer(tx, HTTPStatus.OK, ErasureRequests(items=items))


@route(
    blueprint,
    Operation(
        id="withdraw_erasure",
        method=HTTPMethod.DELETE,
        path="privacy/erasure/{id}",
        tag=_TAG,
        answers={200: Answer("Withdrawn", ErasureRequest)},
        problems=merge_problems(NOT_FOUND, {403: ("not_yours",), 409: ("request_state",)}),
    ),
)
def withdraw_erasure(call: Call) -> Reply:
    """Withdraw an erasure request.

    Only the requester can do that, until the erasure is done.
    """
    wanted = public_id(call.path("id"))
    with call.transaction() as tx:
        request = submission.withdraw(call.work(tx), call.caller.user, wanted, sees_everyone=call.sees_everyone)
        return call.answer(tx, HTTPStatus.OK, ErasureRequest.of(request))


@route(
    blueprint,
    Operation(
        id="list_mentions",
        method=HTTPMethod.GET,
        path="privacy/erasure/{id}/mentions",
        tag=_TAG,
        answers={200: Answer("At most 1,000; isComplete is false if there are more", Mentions)},
        problems=merge_problems(NOT_FOUND, {409: ("request_state",)}),
    ),
)
def list_mentions(call: Call) -> Reply:
    """Mentions of a person in the text of others.

    An erasure replaces mentions in others' notes and reasons by a pseudonym: an id, an address, or a name of at least
    two words from the directory. This lists their rows, without text; date and person are omitted for people with
    stopped processing.
    """
    with call.transaction() as tx:
        return _mentions(call, tx)


@route(
    blueprint,
    Operation(
        id="choose_mentions",
        method=HTTPMethod.PATCH,
        path="privacy/erasure/{id}/mentions",
        tag=_TAG,
        body=ChooseMentions,
        answers={200: Answer("The mentions", Mentions)},
        problems=merge_problems(NOT_FOUND, {409: ("request_state",)}),
    ),
)
def choose_mentions(call: Call, body: ChooseMentions) -> Reply:
    """Choose mentions that are not replaced.

    For mentions of another person with the same name. Possible until the erasure is done; the erasure does not wait.
    """
    wanted = public_id(call.path("id"))
    with call.transaction() as tx:
        mention_service.choose(call.work(tx), wanted, body.to_stays())
        return _mentions(call, tx)


def _mentions(call: Call, tx: sa.Connection) -> Reply:
    found, is_complete = mention_service.list_mentions(tx, call.caller, public_id(call.path("id")))
    return call.answer(tx, HTTPStatus.OK, Mentions.of(found, is_complete=is_complete))
