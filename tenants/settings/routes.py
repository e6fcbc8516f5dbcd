"""The HTTP functions of a tenant's settings and of its audit log."""

from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.etag import etag
from shared.http.operation import ETAG, Answer, IfMatch, Operation
from shared.http.paging import PageQuery, id_cursor
from shared.http.reply import Reply
from shared.tenancy import organization_store
from shared.tenancy.model import Role
from shared.tenancy.rules import seat_cap
from tenants.settings import audit_store
from tenants.settings import service as settings_service
from tenants.settings import store as settings_store
from tenants.settings.schemas import AuditItem, AuditPage, ChangeTenant, TenantDetail
from tenants.settings.store import TenantSettings


blueprint = func.Blueprint()
_TAG: Final = "organisation"


@route(
    blueprint,
    Operation(
        id="get_tenant",
        method=HTTPMethod.GET,
        path="tenant",
        tag=_TAG,
        answers={200: Answer("The settings; ETag is their version", TenantDetail, headers=(ETAG,))},
    ),
)
def get_tenant(call: Call) -> Reply:
    """Your organisation's settings.

    Admins see the settings, super admins also what was bought.
    """
    with call.transaction() as tx:
        return _settings(call, tx, settings_store.read(tx, call.caller.tenant.id))


@route(
    blueprint,
    Operation(
        id="change_tenant",
        method=HTTPMethod.PATCH,
        path="tenant",
        tag=_TAG,
        body=ChangeTenant,
        if_match=IfMatch.REQUIRED,
        answers={200: Answer("The settings as changed", TenantDetail, headers=(ETAG,))},
        problems={409: ("slug_taken", "slug_limit_reached")},
    ),
)
def change_tenant(call: Call, body: ChangeTenant) -> Reply:
    """Change your organisation's settings.

    Send If-Match with the ETag that was read. A new time zone is in force from now on; entries that are there keep
    their days. Another `azureDevOpsOrganization` becomes the default, and one of `organizations` if it is none yet;
    time that is on the others stays there.
    """
    versions = call.versions_wanted
    with call.transaction() as tx:
        changed = settings_service.change(
            tx, call.caller, body.to_columns(), versions=versions, now=call.now, new_id=call.app.new_id
        )
        return _settings(call, tx, changed.settings, changed.notice)


@route(
    blueprint,
    Operation(
        id="list_audit",
        method=HTTPMethod.GET,
        path="audit",
        tag=_TAG,
        query=PageQuery,
        answers={200: Answer("A page of the audit log", AuditPage)},
    ),
)
def list_audit(call: Call, query: PageQuery) -> Reply:
    """Who changed what, newest first.

    Every change of people, roles, plan and settings; refused sign-ins, exports. Only added to.
    """
    after = id_cursor(query.after)
    with call.transaction() as tx:
        rows = audit_store.audit_page(tx, call.caller.tenant.id, end=after, most=query.limit)
        query.require_rows(rows)
        items = [AuditItem.of(row) for row in rows[: query.page_size]]
        link = query.next_link("audit", rows, lambda row: row.id)
        return call.answer(tx, HTTPStatus.OK, AuditPage(items=items, next_link=link))


def _settings(call: Call, tx: sa.Connection, settings: TenantSettings, notice: str | None = None) -> Reply:
    cap = seat_cap(settings.tenant, call.app.settings.trial_user_limit)
    with_plan = call.caller.user.role is Role.SUPER_ADMIN
    organizations = organization_store.find_all(tx, settings.tenant.id)
    wire = TenantDetail.of_settings(
        settings, organizations, seat_limit=cap, now=call.now, with_plan=with_plan, notice=notice
    )
    return call.answer(tx, HTTPStatus.OK, wire, {"ETag": etag(settings.version)})
