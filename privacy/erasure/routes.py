"""The HTTP functions of erasure: ask for it, see what becomes of it, take it back, keep mentions in others' text."""

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
_MOST: Final = 200


@route(
    blueprint,
    Operation(
        id="request_erasure",
        method=HTTPMethod.POST,
        path="privacy/erasure",
        tag=_TAG,
        locks_tenant=True,
        body=RequestErasure,
        answers={201: Answer("Scheduled, or on hold", ErasureRequest), 200: Answer("It was open", ErasureRequest)},
        problems=merge_problems(
            NOT_FOUND, {400: ("not_confirmed",), 403: ("role_required",), 409: ("last_super_admin",)}
        ),
    ),
)
def request_erasure(call: Call, body: RequestErasure) -> Reply:
    """Ask for your erasure; as a super admin for a member's, or the whole organisation's.

    Carried out after three days, in which it can be taken back, and within 30 in any case, unless a law or an open bill
    holds it: then the answer says why. The account is closed, and a random pseudonym takes the place of the person
    everywhere; hours, counts and bills stay. An organisation's data goes as a whole, except for its bills. A request
    that is open already is answered with 200.
    """
    with call.transaction() as tx:
        request, is_new = submission.ask(
            tx, call.caller, body.to_asked(), sees_everyone=call.sees_everyone, now=call.now, new_id=call.app.new_id
        )
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
    """The requests for erasure about you, newest first; for a super admin the organisation's."""
    with call.transaction() as tx:
        found = submission.mine(tx, call.caller, sees_everyone=call.sees_everyone, most=_MOST)
        items = [ErasureRequest.of(request) for request in found]
        return call.answer(tx, HTTPStatus.OK, ErasureRequests(items=items))


@route(
    blueprint,
    Operation(
        id="withdraw_erasure",
        method=HTTPMethod.DELETE,
        path="privacy/erasure/{id}",
        tag=_TAG,
        answers={200: Answer("Taken back", ErasureRequest)},
        problems=merge_problems(NOT_FOUND, {403: ("not_yours",), 409: ("request_state",)}),
    ),
)
def withdraw_erasure(call: Call) -> Reply:
    """Take a request for erasure back.

    By whoever made it, while it is not done.
    """
    wanted = public_id(call.path("id"))
    with call.transaction() as tx:
        request = submission.withdraw(
            tx, call.caller, wanted, sees_everyone=call.sees_everyone, now=call.now, new_id=call.app.new_id
        )
        return call.answer(tx, HTTPStatus.OK, ErasureRequest.of(request))


@route(
    blueprint,
    Operation(
        id="list_mentions",
        method=HTTPMethod.GET,
        path="privacy/erasure/{id}/mentions",
        tag=_TAG,
        answers={200: Answer("At most 1,000; isComplete says whether these are all", Mentions)},
        problems=merge_problems(NOT_FOUND, {409: ("request_state",)}),
    ),
)
def list_mentions(call: Call) -> Reply:
    """Where the text of others names the person whom an open erasure is about.

    An erasure puts a pseudonym where others' notes and reasons name the person by an id, an address or a name of at
    least two words that the directory gave. This lists the rows, without their text, and without date and person where
    these have had the processing of their data stopped.
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
        answers={200: Answer("As the list is now", Mentions)},
        problems=merge_problems(NOT_FOUND, {409: ("request_state",)}),
    ),
)
def choose_mentions(call: Call, body: ChooseMentions) -> Reply:
    """Say which mentions stay, since they are about somebody else.

    Possible until the erasure is carried out. The erasure does not wait for your choice.
    """
    wanted = public_id(call.path("id"))
    with call.transaction() as tx:
        stays = body.to_stays()
        mention_service.choose(tx, call.caller, wanted, stays, now=call.now, new_id=call.app.new_id)
        return _mentions(call, tx)


def _mentions(call: Call, tx: sa.Connection) -> Reply:
    found, is_complete = mention_service.listed(tx, call.caller, public_id(call.path("id")))
    return call.answer(tx, HTTPStatus.OK, Mentions.of(found, is_complete=is_complete))
