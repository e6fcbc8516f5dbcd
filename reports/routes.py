"""The HTTP functions of the reports: month, week and any range of days, as JSON, CSV or a workbook."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from reports import service, tables, tables_summary, tables_week
from reports.rules import Span
from reports.schemas import Filters, MonthReportQuery, SummaryReportQuery, WeekReportQuery
from reports.schemas_answers import Report, WeekReport
from reports.store import Asked
from reports.tables_summary import Heading
from shared.azure_devops import PATIENCE_SECONDS
from shared.azure_devops_errors import AzureDevOpsError
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import JSON, Answer, Operation
from shared.http.parsing import public_id
from shared.http.reply import Reply
from shared.spreadsheet import CSV, XLSX
from shared.tenancy.model import Tenant
from shared.tracking.looking_up import refresh_stale


blueprint = func.Blueprint()
_TAG: Final = "reports"
_MEDIA: Final = {"json": JSON, "csv": CSV, "xlsx": XLSX}
_EVERY: Final = (JSON, CSV, XLSX)
_PROBLEMS: Final = {400: ("report_too_large",), 403: ("processing_restricted",), 404: ("not_found",)}
_ABOUT: Final = (
    "Your own time; admins see everyone's, or with `user` one person's. Days are those of the tenant's time zone when "
    "each entry was stopped. Totals by group, by day and overall always agree, also under filters. A workbook lists "
    "every piece of time behind its sums."
)
Make = Callable[[sa.Connection, Asked, Heading, str], Reply | bytes]


@route(
    blueprint,
    Operation(
        id="get_month_report",
        method=HTTPMethod.GET,
        path="reports/month",
        tag=_TAG,
        summary="Where a month went",
        description=_ABOUT,
        query=MonthReportQuery,
        asks_azure_devops=True,
        answers={200: Answer("The report", Report, media=_EVERY)},
        problems=_PROBLEMS,
    ),
)
def get_month_report(call: Call, query: MonthReportQuery) -> Reply:
    return _grouped(call, query)


@route(
    blueprint,
    Operation(
        id="get_summary_report",
        method=HTTPMethod.GET,
        path="reports/summary",
        tag=_TAG,
        summary="Where the time of some days went",
        description=_ABOUT + " At most 366 days; `from` and `to` are both in it.",
        query=SummaryReportQuery,
        asks_azure_devops=True,
        answers={200: Answer("The report", Report, media=_EVERY)},
        problems=_PROBLEMS,
    ),
)
def get_summary_report(call: Call, query: SummaryReportQuery) -> Reply:
    return _grouped(call, query)


@route(
    blueprint,
    Operation(
        id="get_week_report",
        method=HTTPMethod.GET,
        path="reports/week",
        tag=_TAG,
        summary="A timesheet of seven days",
        description=_ABOUT + " Give `week`, or with `from` any weekday to begin on; lists who has time.",
        query=WeekReportQuery,
        asks_azure_devops=True,
        answers={200: Answer("The timesheet", WeekReport, media=_EVERY)},
        problems=_PROBLEMS,
    ),
)
def get_week_report(call: Call, query: WeekReportQuery) -> Reply:
    def make(tx: sa.Connection, asked: Asked, heading: Heading, wanted: str) -> Reply | bytes:
        if wanted == XLSX:
            return tables_week.week_book(heading, service.pieces(tx, asked))
        week = service.week(tx, call.caller, asked)
        return Reply.of(HTTPStatus.OK, WeekReport.of(week)) if wanted == JSON else tables.week_csv(week)

    return _made(call, query, query.span, "Timesheet", make)


def _grouped(call: Call, query: MonthReportQuery | SummaryReportQuery) -> Reply:
    groups = query.group_by

    def make(tx: sa.Connection, asked: Asked, heading: Heading, wanted: str) -> Reply | bytes:
        if wanted == XLSX:
            return tables_summary.report_book(heading, groups, service.pieces(tx, asked))
        if wanted == CSV:
            return tables.report_csv(groups, service.lines(tx, asked, groups))
        return Reply.of(HTTPStatus.OK, Report.of(service.report(tx, call.caller, asked, groups)))

    return _made(call, query, query.span, "Time report", make)


def _made(call: Call, query: Filters, span: Span, title: str, make: Make) -> Reply:
    """One report in the form that is wanted; what leaves as a file goes on record."""
    wanted = _wanted(call, query)
    if call.has_azure_devops_token:
        _refresh(call, query, span)
    with call.transaction() as tx:
        asked = _asked(tx, call, query, span)
        tenant = call.caller.tenant
        heading = Heading(title, tenant.name, span, tenant.time_zone, call.now, _only(asked))
        made = make(tx, asked, heading, wanted)
    if isinstance(made, Reply):
        return made
    extension = "csv" if wanted == CSV else "xlsx"
    with call.app.transaction(tenant=tenant.id) as tx:  # a read cannot write, and an export goes on record
        service.record_export(tx, call.caller, span, file_format=extension, now=call.now, row_id=call.app.new_id())
    disposition = f'attachment; filename="{_name(tenant, span, extension)}"'
    return Reply(HTTPStatus.OK, made, {"Content-Type": wanted, "Content-Disposition": disposition})


def _refresh(call: Call, query: Filters, span: Span) -> None:
    """Has the work items seen anew that the report shows; where that is not possible it shows them as they were."""
    with call.transaction() as tx:
        user_id = _asked(tx, call, query, span).user_id
    with contextlib.suppress(AzureDevOpsError):
        visit = call.visit_azure_devops(PATIENCE_SECONDS)
        refresh_stale(call.app, call.caller.tenant, span.first, span.last, user_id=user_id, visit=visit)


def _asked(tx: sa.Connection, call: Call, query: Filters, span: Span) -> Asked:
    own, tenant = call.caller.user, call.caller.tenant
    only = {"organization": query.organization, "project": query.project, "type": query.type}
    asked = Asked(tenant.id, own.id, span, **only)
    if query.user is not None:
        user_id, name = service.whose(tx, call.caller, public_id(query.user), everyone=call.sees_everyone)
        return replace(asked, user_id=user_id, user_name=name)
    return asked if call.sees_everyone else replace(asked, user_id=own.id, user_name=own.display_name)


def _only(asked: Asked) -> str:
    """Which part of the tenant's time it is, for whoever finds the file later."""
    parts = [
        asked.user_name or "everyone",
        *([] if asked.organization is None else [f"organization {asked.organization}"]),
        "every project" if asked.project is None else f"project {asked.project}",
        "every type of work item" if asked.type is None else f"work items of type {asked.type}",
    ]
    return ", ".join(parts)


def _name(tenant: Tenant, span: Span, extension: str) -> str:
    return f"timetracker-{tenant.slug}-{span.name}.{extension}"


def _wanted(call: Call, query: Filters) -> str:
    if query.format is not None:
        return _MEDIA[query.format]
    accepted = call.request.headers.get("accept", "")
    return next((media for media in _EVERY if media in accepted), JSON)
