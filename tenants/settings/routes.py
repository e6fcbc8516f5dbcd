"""The HTTP functions of the settings and of the audit log."""

from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.etag import etag
from shared.http.operation import ETAG, PERSON, Answer, IfMatch, Operation
from shared.http.paging import TimeCursor
from shared.http.reply import Reply
from shared.tenancy import organization_store, people
from shared.tenancy.model import Role
from shared.tenancy.rules import seat_cap
from tenants.settings import audit_store
from tenants.settings import service as settings_service
from tenants.settings import store as settings_store
from tenants.settings.audit_store import AuditFilters
from tenants.settings.schemas import AuditItem, AuditPage, AuditQuery, ChangeTenant, TenantDetail
from tenants.settings.store import TenantSettings


blueprint = func.Blueprint()
_TAG: Final = "settings"


@route(
    blueprint,
    Operation(
        id="get_tenant",
        method=HTTPMethod.GET,
        path="tenant",
        tag=_TAG,
        answers={200: Answer("The settings; the ETag is their version", TenantDetail, headers=(ETAG,))},
    ),
)
def get_tenant(call: Call) -> Reply:
    """Settings of your organization.

    Admins see the settings, super admins also the purchase.
    """
    with call.transaction() as tx:
        return _answer(call, tx, settings_store.read(tx, call.caller.tenant.id))


@route(
    blueprint,
    Operation(
        id="change_tenant",
        method=HTTPMethod.PATCH,
        path="tenant",
        tag=_TAG,
        body=ChangeTenant,
        if_match=IfMatch.REQUIRED,
        answers={200: Answer("The changed settings", TenantDetail, headers=(ETAG,))},
        problems={409: ("slug_taken", "slug_limit_reached")},
    ),
)
def change_tenant(call: Call, body: ChangeTenant) -> Reply:
    """Change the settings of your organization.

    A new time zone applies from now on; existing entries keep their days.
    A new `azureDevOpsOrganization` becomes the default and is added to `organizations` if it is not there yet;
    existing time stays in its organization.
    """
    versions = call.if_match_versions
    with call.transaction() as tx:
        result = settings_service.change(call.work(tx), body.to_change(), versions=versions)
        return _answer(call, tx, result.settings, result.notice)


@route(
    blueprint,
    Operation(
        id="list_audit",
        method=HTTPMethod.GET,
        path="audit",
        tag=_TAG,
        query=AuditQuery,
        answers={200: Answer("A page of the audit log", AuditPage)},
        problems=PERSON,
    ),
)
def list_audit(call: Call, query: AuditQuery) -> Reply:
    """Audit log, newest first.

    Changes of people, roles, plan and settings, refused sign-ins and exports. Rows are never changed or removed.
    """
    after = TimeCursor.parse(query.after)
    with call.transaction() as tx:
        tenant, viewer = call.caller.tenant, call.caller.user.id
        person = people.resolve_filter(tx, call.caller, query.user, everyone=True)
        filters = AuditFilters(
            user_id=None if person is None else person.id, action=query.action, period=query.period(tenant.zone)
        )
        rows = audit_store.page(tx, tenant.id, filters, viewer=viewer, after=after, limit=query.limit)
        query.require_rows(rows)
        items = [AuditItem.of(row) for row in rows[: query.page_size]]
        link = query.next_link(call.link("audit"), rows, lambda row: TimeCursor(row.id, row.at))
        return call.answer(tx, HTTPStatus.OK, AuditPage(items=items, next_link=link))


def _answer(call: Call, tx: sa.Connection, settings: TenantSettings, notice: str | None = None) -> Reply:
    cap = seat_cap(settings.tenant, call.app.settings.trial_user_limit)
    with_plan = call.caller.user.role is Role.SUPER_ADMIN
    organizations = organization_store.find_all(tx, settings.tenant.id)
    detail = TenantDetail.of_settings(
        settings, organizations, seat_limit=cap, now=call.now, with_plan=with_plan, notice=notice
    )
    return call.answer(tx, HTTPStatus.OK, detail, {"ETag": etag(settings.version)})
