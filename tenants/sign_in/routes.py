"""The HTTP functions for starting a trial, signing in, and the caller's own account."""

from http import HTTPMethod, HTTPStatus

import azure.functions as func
import sqlalchemy as sa

from shared.errors import Forbidden, PaymentRequired
from shared.http.admission import tenant_not_registered
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import LOCATION, PLAN, Answer, Operation, merge_problems
from shared.http.reply import Reply
from shared.http.wire import NoFields
from shared.tenancy import model, organization_store
from shared.tenancy.model import Caller
from shared.tenancy.rules import seat_cap, user_deactivated
from shared.tenancy.store import find_caller, find_tenant
from tenants.sign_in import service
from tenants.sign_in.schemas import CreateTenant, Entitlements, Me, RenameMe, Session, SignIn, Tenant, User
from timers import RunningTimer, TimeEntry, find_running
from timers.entries import entries_to_review


blueprint = func.Blueprint()


@route(
    blueprint,
    Operation(
        id="create_tenant",
        method=HTTPMethod.POST,
        path="tenants",
        tag="sign-in",
        body=CreateTenant,
        answers={201: Answer("The new tenant, its super admin and entitlements", SignIn, headers=(LOCATION,))},
        problems={403: ("guest_cannot_register",), 409: ("tenant_already_registered",)},
    ),
)
def create_tenant(call: Call, body: CreateTenant) -> Reply:
    """Start a trial for your organization.

    Your directory becomes a tenant and you its super admin. A directory gets one trial.
    """
    with call.transaction() as tx:
        caller = service.start_tenant(
            tx,
            call.principal,
            body.to_new_tenant(),
            settings=call.app.settings,
            now=call.now,
            new_id=call.app.new_id,
        )
        call.set_caller(caller)
        return call.answer(tx, HTTPStatus.CREATED, _build_sign_in(tx, call, caller), {LOCATION: call.link("tenant")})


@route(
    blueprint,
    Operation(
        id="sign_in",
        method=HTTPMethod.POST,
        path="sign-in",
        tag="sign-in",
        body=NoFields,
        answers={200: Answer("The user, tenant, entitlements and running timer", SignIn)},
        problems=merge_problems(
            PLAN, {403: ("tenant_not_registered", "user_deactivated", "seat_limit_reached", "trial_user_limit_reached")}
        ),
    ),
)
def sign_in(call: Call, body: NoFields) -> Reply:  # noqa: ARG001 - has nothing in it
    """Sign in.

    Adds the account at the first sign-in and records each sign-in. The response has all data for the extension's first
    page.
    """
    try:
        with call.transaction() as tx:
            caller = service.sign_in(
                tx, call.principal, settings=call.app.settings, now=call.now, new_id=call.app.new_id
            )
            if caller is None:
                raise tenant_not_registered()
            call.set_caller(caller)
            return call.answer(tx, HTTPStatus.OK, _build_sign_in(tx, call, caller))
    except (Forbidden, PaymentRequired) as refusal:
        with call.app.transaction() as tx:  # the refusal rolled the other one back
            service.record_refusal(tx, call.principal, refusal.code, now=call.now, new_id=call.app.new_id)
        raise


@route(
    blueprint,
    Operation(
        id="get_session",
        method=HTTPMethod.GET,
        path="session",
        tag="sign-in",
        answers={200: Answer("The session", Session)},
        problems={403: ("user_deactivated",)},
    ),
)
def get_session(call: Call) -> Reply:
    """Get your session without signing in.

    The data of the sign-in's response, for a page that is only looked at: it adds no account, takes no seat and records
    no sign-in. Before your first sign-in `user` is absent, and `entitlements` are those that it would give.
    `serverTime` is the time of the response, for devices with a wrong clock.
    """
    with call.transaction() as tx:
        caller = find_caller(tx, tid=call.principal.tid, oid=call.principal.oid, lock=False)
        if caller is None:
            return call.answer(tx, HTTPStatus.OK, _session_without_account(tx, call))
        call.set_caller(caller)
        if not caller.user.is_active:
            raise user_deactivated()
        known = dict(_build_sign_in(tx, call, caller))
        return call.answer(tx, HTTPStatus.OK, Session(**known, has_invitation=False, server_time=call.now))


@route(
    blueprint,
    Operation(
        id="get_me",
        method=HTTPMethod.GET,
        path="me",
        tag="sign-in",
        answers={200: Answer("Your account", Me)},
    ),
)
def get_me(call: Call) -> Reply:
    """Your account.

    With your role and your sign-in times. Available after the subscription was canceled too.
    """
    with call.transaction() as tx:
        return call.answer(tx, HTTPStatus.OK, Me.of_caller(call.caller))


@route(
    blueprint,
    Operation(
        id="rename_me",
        method=HTTPMethod.PATCH,
        path="me",
        tag="sign-in",
        body=RenameMe,
        answers={200: Answer("Your account", Me)},
    ),
)
def rename_me(call: Call, body: RenameMe) -> Reply:
    """Change your display name.

    The name that colleagues see in lists and reports.
    """
    with call.transaction() as tx:
        caller = service.rename_me(call.work(tx), call.caller.user, body.display_name)
        return call.answer(tx, HTTPStatus.OK, Me.of_caller(caller))


def _build_sign_in(tx: sa.Connection, call: Call, caller: Caller) -> SignIn:
    timer = find_running(tx, caller.tenant.id, caller.user.id)
    to_review = entries_to_review(tx, caller.tenant.id, caller.user.id)
    return SignIn(
        user=User.of(caller.user),
        tenant=_build_tenant(tx, call, caller.tenant),
        entitlements=Entitlements.of(caller, now=call.now),
        running_timer=None if timer is None else RunningTimer.of(timer, user=caller.user.public_id, now=call.now),
        needs_review=[TimeEntry.of(entry, user=caller.user.public_id) for entry in to_review],
    )


def _session_without_account(tx: sa.Connection, call: Call) -> Session:
    tenant = find_tenant(tx, tid=call.principal.tid)
    if tenant is None:
        refusal = service.guest_cannot_register() if call.principal.is_guest else tenant_not_registered()
        entitlements, shown, has_invitation = Entitlements.of_refusal(refusal), None, False
    else:
        first = service.preview_first_sign_in(tx, tenant, call.principal, settings=call.app.settings, now=call.now)
        entitlements, has_invitation = Entitlements.of_refusal(first.refusal), first.has_invitation
        # somebody who would be refused, such as a guest, learns the reason only
        shown = _build_tenant(tx, call, tenant) if first.refusal is None else None
    return Session(
        tenant=shown,
        entitlements=entitlements,
        has_invitation=has_invitation,
        needs_review=[],
        server_time=call.now,
    )


def _build_tenant(tx: sa.Connection, call: Call, tenant: model.Tenant) -> Tenant:
    cap = seat_cap(tenant, call.app.settings.trial_user_limit)
    organizations = organization_store.find_all(tx, tenant.id)
    return Tenant.of(tenant, organizations, seat_limit=cap, now=call.now)
