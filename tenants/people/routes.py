"""The HTTP functions for managing people."""

import uuid
from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.etag import etag
from shared.http.operation import ETAG, NOT_FOUND, PERSON, PLAN, Answer, IfMatch, Operation, merge_problems
from shared.http.paging import TimeCursor
from shared.http.parsing import public_id
from shared.http.reply import Reply
from shared.http.wire import NoFields
from shared.tenancy import people
from tenants.people import add_service, merge_service
from tenants.people import service as people_service
from tenants.people import store as people_store
from tenants.people.schemas import (
    AddedUser,
    AddedUsers,
    AddUsers,
    ChangeUser,
    MergeUser,
    UserDetail,
    UsersPage,
    UsersQuery,
)
from tenants.people.store import Account


blueprint = func.Blueprint()
_TAG: Final = "people"


@route(
    blueprint,
    Operation(
        id="list_users",
        method=HTTPMethod.GET,
        path="users",
        tag=_TAG,
        query=UsersQuery,
        answers={200: Answer("A page of people, oldest account first", UsersPage)},
    ),
)
def list_users(call: Call, query: UsersQuery) -> Reply:
    """People of your organization.

    Everyone with an account, also deactivated and invited people.
    """
    after = TimeCursor.parse(query.after)
    with call.transaction() as tx:
        tenant_id = call.caller.tenant.id
        accounts = people_store.page(tx, tenant_id, query.to_filters(), after=after, limit=query.limit)
        query.require_rows(accounts)
        alike = people_store.find_alike(tx, tenant_id)
        items = [UserDetail.of_account(account, alike) for account in accounts[: query.page_size]]
        link = query.next_link(
            call.link("users"), accounts, lambda each: TimeCursor(each.user.public_id, each.created_at)
        )
        return call.answer(tx, HTTPStatus.OK, UsersPage(items=items, next_link=link))


@route(
    blueprint,
    Operation(
        id="add_users",
        method=HTTPMethod.POST,
        path="users",
        tag=_TAG,
        locks_tenant=True,
        body=AddUsers,
        answers={200: Answer("The result of each row", AddedUsers)},
        problems=PLAN,
    ),
)
def add_users(call: Call, body: AddUsers) -> Reply:
    """Invite up to 200 people.

    Each row has its own result; a refused row does not affect the others. An invitation takes a seat for 14 days. It
    becomes the account of the directory member with exactly this sign-in address, or with this directory
    object id. Only a super admin can invite to roles above user. Such a role applies when a super admin confirms the
    person, or at the first sign-in if the object id is given. The role of a guest waits in any case, and guests cannot
    claim an invitation above user by address.
    """
    with call.transaction() as tx:
        new_people, limit = [each.to_person() for each in body.users], call.app.settings.trial_user_limit
        added = add_service.add(call.work(tx), call.caller.user, new_people, trial_user_limit=limit)
        results = [AddedUser.of(each, request_id=call.request_id) for each in added]
        count = sum(each.account is not None for each in added)
        return call.answer(tx, HTTPStatus.OK, AddedUsers(results=results, added=count))


@route(
    blueprint,
    Operation(
        id="get_user",
        method=HTTPMethod.GET,
        path="users/{id}",
        tag=_TAG,
        answers={200: Answer("The person", UserDetail, headers=(ETAG,))},
        problems=NOT_FOUND,
    ),
)
def get_user(call: Call) -> Reply:
    """Get a person.

    The response has an `ETag` for changes of the person.
    """
    with call.transaction() as tx:
        account = people_store.find(tx, call.caller.tenant.id, _user_id(call))
        if account is None:
            raise people.not_found()
        return _answer(call, tx, account)


@route(
    blueprint,
    Operation(
        id="change_user",
        method=HTTPMethod.PATCH,
        path="users/{id}",
        tag=_TAG,
        locks_tenant=True,
        body=ChangeUser,
        if_match=IfMatch.OPTIONAL,
        answers={200: Answer("The changed person", UserDetail, headers=(ETAG,))},
        problems=merge_problems(NOT_FOUND, {403: ("role_required",), 409: ("last_super_admin", "role_waiting")}),
    ),
)
def change_user(call: Call, body: ChangeUser) -> Reply:
    """Change a person's name or role.

    Only super admins can change roles, and one super admin must remain. With If-Match only that version is changed.
    """
    versions = call.if_match_versions
    with call.transaction() as tx:
        account = people_service.change(
            call.work(tx), call.caller.user, _user_id(call), body.to_change(), versions=versions
        )
        return _answer(call, tx, account)


@route(
    blueprint,
    Operation(
        id="confirm_role",
        method=HTTPMethod.POST,
        path="users/{id}/confirm-role",
        tag=_TAG,
        locks_tenant=True,
        body=NoFields,
        if_match=IfMatch.OPTIONAL,
        answers={200: Answer("The person with the confirmed role", UserDetail, headers=(ETAG,))},
        problems=merge_problems(NOT_FOUND, {409: ("invitation_open", "no_role_waiting")}),
    ),
)
def confirm_role(call: Call, body: NoFields) -> Reply:  # noqa: ARG001 - has nothing in it
    """Confirm the role of an invited person.

    Compare the object id with your directory first: the address may belong to another person by now. With If-Match the
    role is confirmed for that version only.
    """
    versions = call.if_match_versions
    with call.transaction() as tx:
        account = people_service.confirm_role(call.work(tx), call.caller.user, _user_id(call), versions=versions)
        return _answer(call, tx, account)


@route(
    blueprint,
    Operation(
        id="merge_user",
        method=HTTPMethod.POST,
        path="users/{id}/merge",
        tag=_TAG,
        body=MergeUser,
        answers={200: Answer("The person", UserDetail, headers=(ETAG,))},
        problems=merge_problems(PERSON, {409: ("invitation_claimed", "not_joined")}),
    ),
)
def merge_user(call: Call, body: MergeUser) -> Reply:
    """Merge an unclaimed invitation into a person.

    The person gets the invitation's time, and its seat is free. Totals do not change. Two accounts that people have
    signed in with cannot be merged. A merge cannot be undone.
    """
    with call.transaction() as tx:
        return _answer(call, tx, merge_service.merge(call.work(tx), _user_id(call), body.person_id))


@route(
    blueprint,
    Operation(
        id="deactivate_user",
        method=HTTPMethod.POST,
        path="users/{id}/deactivate",
        tag=_TAG,
        locks_tenant=True,
        body=NoFields,
        answers={200: Answer("The deactivated person", UserDetail, headers=(ETAG,))},
        problems=merge_problems(NOT_FOUND, {403: ("role_required",), 409: ("last_super_admin",)}),
    ),
)
def deactivate_user(call: Call, body: NoFields) -> Reply:  # noqa: ARG001 - has nothing in it
    """Deactivate a person.

    Their running timer stops, their seat is free, and their history stays. Their next request is refused.
    """
    with call.transaction() as tx:
        return _answer(call, tx, people_service.deactivate(call.work(tx), call.caller.user, _user_id(call)))


@route(
    blueprint,
    Operation(
        id="reactivate_user",
        method=HTTPMethod.POST,
        path="users/{id}/reactivate",
        tag=_TAG,
        locks_tenant=True,
        body=NoFields,
        answers={200: Answer("The active person", UserDetail, headers=(ETAG,))},
        problems=merge_problems(
            PLAN,
            NOT_FOUND,
            {
                403: ("role_required", "seat_limit_reached", "trial_user_limit_reached"),
                409: ("email_taken", "address_not_plain"),
            },
        ),
    ),
)
def reactivate_user(call: Call, body: NoFields) -> Reply:  # noqa: ARG001 - has nothing in it
    """Reactivate a person.

    Needs a free seat. An invitation that nobody has claimed opens again. An active person is not changed.
    """
    with call.transaction() as tx:
        account = people_service.reactivate(
            call.work(tx),
            call.caller.user,
            _user_id(call),
            trial_user_limit=call.app.settings.trial_user_limit,
        )
        return _answer(call, tx, account)


def _user_id(call: Call) -> uuid.UUID:
    user_id = public_id(call.path("id"))
    if user_id is None:
        raise people.not_found()
    return user_id


def _answer(call: Call, tx: sa.Connection, account: Account) -> Reply:
    user = UserDetail.of_account(account, people_store.find_alike(tx, call.caller.tenant.id))
    return call.answer(tx, HTTPStatus.OK, user, {"ETag": etag(account.version)})
