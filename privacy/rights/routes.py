"""The HTTP functions with which people stop the processing of their data, and name who may act for them."""

from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from privacy.requests import store as requests_store
from privacy.rights import service as rights_service
from privacy.rights import store as rights_store
from privacy.rights.schemas import ChangeRights, NameNominee, Privacy
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import Answer, Operation
from shared.http.reply import Reply


blueprint = func.Blueprint()
_TAG: Final = "privacy"


@route(
    blueprint,
    Operation(
        id="get_privacy",
        method=HTTPMethod.GET,
        path="privacy",
        tag=_TAG,
        answers={200: Answer("Your rights", Privacy)},
    ),
)
def get_privacy(call: Call) -> Reply:
    """What you have said about your data."""
    with call.transaction() as tx:
        return _shown(call, tx)


@route(
    blueprint,
    Operation(
        id="change_rights",
        method=HTTPMethod.PATCH,
        path="privacy",
        tag=_TAG,
        body=ChangeRights,
        answers={200: Answer("Your rights", Privacy)},
    ),
)
def change_rights(call: Call, body: ChangeRights) -> Reply:
    """Restrict the processing of your data, object to it, withdraw consent; or lift that.

    While any of the three is in force your timer is stopped and its time kept, no new time is tracked, and nobody but
    you is shown your time: not in reports, lists or logs. Everything stays. You still read, correct, take out and stop.
    A month in which you worked or signed in is billed as before.
    """
    with call.transaction() as tx:
        rights_service.change(tx, call.caller, body.to_wanted(), now=call.now, new_id=call.app.new_id)
        return _shown(call, tx)


@route(
    blueprint,
    Operation(
        id="name_nominee",
        method=HTTPMethod.PUT,
        path="privacy/nominee",
        tag=_TAG,
        body=NameNominee,
        answers={200: Answer("Your rights", Privacy)},
    ),
)
def name_nominee(call: Call, body: NameNominee) -> Reply:
    """Name who may exercise your rights after you.

    In the place of whoever you named before. Nobody in your organisation can read it, and you cannot either; an
    operator can, who has checked who asks, and that is on the audit log.
    """
    with call.transaction() as tx:
        rights_service.name_nominee(tx, call.caller, body.name, body.contact, now=call.now, new_id=call.app.new_id)
        return _shown(call, tx)


@route(
    blueprint,
    Operation(
        id="remove_nominee",
        method=HTTPMethod.DELETE,
        path="privacy/nominee",
        tag=_TAG,
        answers={204: Answer("Nobody is named")},
    ),
)
def remove_nominee(call: Call) -> Reply:
    """Forget whom you named."""
    with call.transaction() as tx:
        rights_service.remove_nominee(tx, call.caller, now=call.now, new_id=call.app.new_id)
        return call.answer(tx, HTTPStatus.NO_CONTENT)


def _shown(call: Call, tx: sa.Connection) -> Reply:
    tenant_id, user_id = call.caller.tenant.id, call.caller.user.id
    rights = rights_store.read(tx, tenant_id, user_id)
    request = requests_store.find_open(tx, tenant_id, user_id)
    return call.answer(tx, HTTPStatus.OK, Privacy.of(rights, request))
