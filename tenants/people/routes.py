"""The HTTP functions with which admins run their people."""

import uuid
from http import HTTPMethod, HTTPStatus
from typing import Final
from urllib.parse import urlencode

import azure.functions as func
import sqlalchemy as sa

from shared.errors import NotFound
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.etag import etag
from shared.http.operation import ETAG, NOT_FOUND, PERSON, PLAN, Answer, IfMatch, Operation, merge_problems
from shared.http.parsing import not_a_page_end, public_id, require_page
from shared.http.reply import Reply
from shared.http.wire import NoFields
from shared.instants import parse_rfc3339, rfc3339
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
from tenants.people.store import Account, AccountsEnd


blueprint = func.Blueprint()
_TAG: Final = "people"
_NOBODY: Final = "There is no such person in your organisation."


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
    """The people of your organisation."""
    end = None if query.after is None else _page_end(query.after)
    with call.transaction() as tx:
        tenant_id, most = call.caller.tenant.id, query.page_size + 1
        accounts = people_store.page(tx, tenant_id, filters=query.filters(), end=end, most=most)
        require_page(accounts, query.after)
        alike = people_store.alike(tx, tenant_id)
        items = [UserDetail.of_account(account, alike) for account in accounts[: query.page_size]]
        more = len(accounts) > query.page_size
        link = _next(query, accounts[query.page_size - 1]) if more else None
        return call.answer(tx, HTTPStatus.OK, UsersPage(items=items, next_link=link))


@route(
    blueprint,
    Operation(
        id="add_users",
        method=HTTPMethod.POST,
        path="users",
        tag=_TAG,
        holds_tenant=True,
        body=AddUsers,
        answers={200: Answer("The result of every row", AddedUsers)},
        problems=PLAN,
    ),
)
def add_users(call: Call, body: AddUsers) -> Reply:
    """Invite people, one or up to 200.

    Each row has its own result; one refused leaves the others. An invitation takes a seat for 14 days and becomes the
    person's account at their first sign-in with exactly that address, or with that directory object id, inside your
    directory only. Only a super admin invites to roles above user. Such a role takes force when a super admin confirms
    the person, or at once where the object id is given. A guest's waits even then, and by address guests claim no
    invitation above user.
    """
    with call.transaction() as tx:
        added = add_service.add(
            tx,
            call.caller,
            [each.to_person() for each in body.users],
            trial_user_limit=call.app.settings.trial_user_limit,
            now=call.now,
            new_id=call.app.new_id,
        )
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
    """One person."""
    with call.transaction() as tx:
        account = people_store.find(tx, call.caller.tenant.id, _wanted(call))
        if account is None:
            raise NotFound(_NOBODY)
        return _person(call, tx, account)


@route(
    blueprint,
    Operation(
        id="change_user",
        method=HTTPMethod.PATCH,
        path="users/{id}",
        tag=_TAG,
        holds_tenant=True,
        body=ChangeUser,
        if_match=IfMatch.OPTIONAL,
        answers={200: Answer("The person as changed", UserDetail, headers=(ETAG,))},
        problems=merge_problems(NOT_FOUND, {403: ("role_required",), 409: ("last_super_admin", "role_waiting")}),
    ),
)
def change_user(call: Call, body: ChangeUser) -> Reply:
    """Rename a person, or give them another role.

    Roles are given by super admins, none above their own, and never so that no super admin is left. With If-Match the
    change is made to that version only.
    """
    versions = call.versions_wanted
    with call.transaction() as tx:
        account = people_service.change(
            tx, call.caller, _wanted(call), body.to_change(), versions=versions, now=call.now, new_id=call.app.new_id
        )
        return _person(call, tx, account)


@route(
    blueprint,
    Operation(
        id="confirm_role",
        method=HTTPMethod.POST,
        path="users/{id}/confirm-role",
        tag=_TAG,
        holds_tenant=True,
        body=NoFields,
        if_match=IfMatch.OPTIONAL,
        answers={200: Answer("The person, with the role in force", UserDetail, headers=(ETAG,))},
        problems=merge_problems(NOT_FOUND, {409: ("invitation_open", "no_role_waiting")}),
    ),
)
def confirm_role(call: Call, body: NoFields) -> Reply:  # noqa: ARG001 - has nothing in it
    """Confirm the role of a person who came by invitation.

    Compare the object id with the one in your directory first: an address may be another person's by now. With If-Match
    the role is confirmed for that version only.
    """
    versions = call.versions_wanted
    with call.transaction() as tx:
        account = people_service.confirm_role(
            tx, call.caller, _wanted(call), versions=versions, now=call.now, new_id=call.app.new_id
        )
        return _person(call, tx, account)


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
    """Merge an invitation that nobody claimed into its person.

    Its time becomes the person's, and its seat is free. Nothing is added up twice: every sum is as it was. Accounts
    that two people have signed in with are never merged. It is not undone.
    """
    with call.transaction() as tx:
        person = merge_service.merge(tx, call.caller, _wanted(call), body.person, now=call.now, new_id=call.app.new_id)
        return _person(call, tx, person)


@route(
    blueprint,
    Operation(
        id="deactivate_user",
        method=HTTPMethod.POST,
        path="users/{id}/deactivate",
        tag=_TAG,
        holds_tenant=True,
        body=NoFields,
        answers={200: Answer("The person, deactivated", UserDetail, headers=(ETAG,))},
        problems=merge_problems(NOT_FOUND, {403: ("role_required",), 409: ("last_super_admin",)}),
    ),
)
def deactivate_user(call: Call, body: NoFields) -> Reply:  # noqa: ARG001 - has nothing in it
    """Close a person's account.

    Their running timer stops at this instant, their seat is free, their history stays. Their next call is refused.
    """
    with call.transaction() as tx:
        account = people_service.deactivate(tx, call.caller, _wanted(call), now=call.now, new_id=call.app.new_id)
        return _person(call, tx, account)


@route(
    blueprint,
    Operation(
        id="reactivate_user",
        method=HTTPMethod.POST,
        path="users/{id}/reactivate",
        tag=_TAG,
        holds_tenant=True,
        body=NoFields,
        answers={200: Answer("The person, active", UserDetail, headers=(ETAG,))},
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
    """Open a person's account again."""
    with call.transaction() as tx:
        limit = call.app.settings.trial_user_limit
        account = people_service.reactivate(
            tx, call.caller, _wanted(call), trial_user_limit=limit, now=call.now, new_id=call.app.new_id
        )
        return _person(call, tx, account)


def _wanted(call: Call) -> uuid.UUID:
    """The person in the path."""
    wanted = public_id(call.path("id"))
    if wanted is None:
        raise NotFound(_NOBODY)
    return wanted


def _person(call: Call, tx: sa.Connection, account: Account) -> Reply:
    person = UserDetail.of_account(account, people_store.alike(tx, call.caller.tenant.id))
    return call.answer(tx, HTTPStatus.OK, person, {"ETag": etag(account.version)})


def _page_end(after: str) -> AccountsEnd:
    last_id, _, created_at = after.partition(".")
    found = public_id(last_id)
    if found is None:
        raise not_a_page_end()
    try:
        return AccountsEnd(found, parse_rfc3339(created_at))
    except ValueError as error:
        raise not_a_page_end() from error


def _next(query: UsersQuery, last: Account) -> str:
    parameters = {
        "role": query.role,
        "isActive": None if query.is_active is None else str(query.is_active).lower(),
        "authProvider": query.auth_provider,
        "pageSize": query.page_size,
        "after": f"{last.user.public_id}.{rfc3339(last.created_at)}",
    }
    return "/api/users?" + urlencode({name: value for name, value in parameters.items() if value is not None})
