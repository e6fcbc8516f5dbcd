"""The HTTP functions of privacy preferences and nominees."""

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
    """Your privacy preferences.

    Restriction, objection, withdrawn consent and nominee, and your open request for erasure.
    """
    with call.transaction() as tx:
        return _build_reply(call, tx)


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
    """Change your privacy preferences.

    Restrict the processing of your data, object to it, or withdraw consent; or lift that. While one of them is in
    force, your timer is stopped with its time kept, no new time is tracked, and your time is visible to you alone, in
    reports, lists and logs. Nothing is removed. You can still read, correct and export your time, and stop a timer.
    A month of activity is billed as before.
    """
    with call.transaction() as tx:
        rights_service.change(call.work(tx), call.caller.user, body.to_wanted())
        return _build_reply(call, tx)


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
    """Set your nominee.

    The nominee may exercise your rights after you. Replaces a former nominee. Neither you nor your organization can
    read it. An operator can, after checking the requester, and that is audited.
    """
    with call.transaction() as tx:
        rights_service.set_nominee(call.work(tx), call.caller.user, body.name, body.contact)
        return _build_reply(call, tx)


@route(
    blueprint,
    Operation(
        id="remove_nominee",
        method=HTTPMethod.DELETE,
        path="privacy/nominee",
        tag=_TAG,
        answers={204: Answer("No nominee")},
    ),
)
def remove_nominee(call: Call) -> Reply:
    """Remove your nominee.

    Without a nominee nothing happens.
    """
    with call.transaction() as tx:
        rights_service.remove_nominee(call.work(tx), call.caller.user)
        return call.answer(tx, HTTPStatus.NO_CONTENT)


def _build_reply(call: Call, tx: sa.Connection) -> Reply:
    tenant_id, user_id = call.caller.tenant.id, call.caller.user.id
    rights = rights_store.read(tx, tenant_id, user_id)
    request = requests_store.find_open(tx, tenant_id, user_id)
    return call.answer(tx, HTTPStatus.OK, Privacy.of(rights, request))
