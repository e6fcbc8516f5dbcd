"""The HTTP functions of the reports: month, week and any range of days, as JSON, CSV or a workbook."""

import contextlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from reports import service, title_flow
from reports.exports.columns import Names
from reports.exports.csv import CsvFormat, build_report_csv, build_timesheet_csv
from reports.exports.customer import FORMER
from reports.exports.heading import Heading
from reports.exports.summary import build_report_workbook
from reports.exports.timesheet import build_timesheet_workbook
from reports.queries import AnyReportQuery, MonthReportQuery, SummaryReportQuery, WeekReportQuery
from reports.schemas import Report, WeekReport
from reports.store import ReportQuery, UnknownTypes
from reports.title_service import NO_REFUSED_ITEMS, RefusedItems
from shared.http.call import Call
from shared.http.csv_options import require_format
from shared.http.endpoint import route
from shared.http.headers import preferred
from shared.http.operation import JSON, PERSON, Answer, Operation, merge_problems
from shared.http.reply import Reply
from shared.spreadsheet import CSV, XLSX
from shared.tenancy import people
from shared.tenancy.model import Tenant
from shared.tenancy.people import Person
from shared.work import Work
from timers import azure_devops
from timers.azure_devops import LOOKUP_SECONDS, AzureDevOpsError
from timers.work_items import read_since


blueprint = func.Blueprint()
_TAG: Final = "reports"
_MEDIA: Final = {"json": JSON, "csv": CSV, "xlsx": XLSX}
_EVERY: Final = (JSON, CSV, XLSX)
_PROBLEMS: Final = merge_problems(PERSON, {400: ("report_too_large",)})


@dataclass(frozen=True, slots=True)
class _Request:
    """A report to build, and its format: JSON, CSV or XLSX."""

    query: ReportQuery
    media: str
    heading: Heading
    csv_format: CsvFormat
    refused: RefusedItems = NO_REFUSED_ITEMS

    @property
    def only_known(self) -> bool:
        return self.query.unknown is not UnknownTypes.LEFT_OUT


_Build = Callable[[Work, _Request], Reply | bytes]


@route(
    blueprint,
    Operation(
        id="get_month_report",
        method=HTTPMethod.GET,
        path="reports/month",
        tag=_TAG,
        query=MonthReportQuery,
        asks_azure_devops=True,
        answers={200: Answer("The report", Report, media=_EVERY)},
        problems=_PROBLEMS,
    ),
)
def get_month_report(call: Call, query: MonthReportQuery) -> Reply:
    """Monthly time report.

    Your own time; admins see everyone's, or with `user` one person's. Days are in the time zone that the tenant had
    when an entry was stopped. Totals by group, by day and overall always agree, also with filters.

    Titles, assignees and states of work items are visible to people who have read them with their own Azure DevOps
    token in the last 30 days. With your token, a report that shows work items or filters by type first reads up to
    1,000 of them, for at most five seconds.
    """
    return _respond_grouped(call, query)


@route(
    blueprint,
    Operation(
        id="get_summary_report",
        method=HTTPMethod.GET,
        path="reports/summary",
        tag=_TAG,
        query=SummaryReportQuery,
        asks_azure_devops=True,
        answers={200: Answer("The report", Report, media=_EVERY)},
        problems=_PROBLEMS,
    ),
)
def get_summary_report(call: Call, query: SummaryReportQuery) -> Reply:
    """Time report of a range of days.

    As the monthly report, for at most 366 days; `from` and `to` are included.
    """
    return _respond_grouped(call, query)


@route(
    blueprint,
    Operation(
        id="get_week_report",
        method=HTTPMethod.GET,
        path="reports/week",
        tag=_TAG,
        query=WeekReportQuery,
        asks_azure_devops=True,
        answers={200: Answer("The timesheet", WeekReport, media=_EVERY)},
        problems=_PROBLEMS,
    ),
)
def get_week_report(call: Call, query: WeekReportQuery) -> Reply:
    """Timesheet of seven days.

    As the monthly report, by person and day. Give `week`, or `from` to begin on any weekday.
    """

    def build(work: Work, request: _Request) -> Reply | bytes:
        if request.media == XLSX:
            titles, pieces = service.read_pieces(work, request.query, request.refused)
            return build_timesheet_workbook(request.heading, pieces, only_known=request.only_known, titles=titles)
        timesheet = service.build_timesheet(work, request.query)
        if request.media == CSV:
            return build_timesheet_csv(timesheet, request.csv_format)
        return Reply.of(HTTPStatus.OK, WeekReport.of(timesheet))

    return _respond(call, query, "Timesheet", build)


def _respond_grouped(call: Call, query: MonthReportQuery | SummaryReportQuery) -> Reply:
    groups = query.group_by

    def build(work: Work, request: _Request) -> Reply | bytes:
        if request.media == XLSX:
            titles, pieces = service.read_pieces(work, request.query, request.refused)
            return build_report_workbook(request.heading, groups, pieces, only_known=request.only_known, titles=titles)
        if request.media == CSV:
            return build_report_csv(groups, service.read_rows(work, request.query, groups), request.csv_format)
        report = service.build_report(work, request.query, groups, request.refused)
        return Reply.of(HTTPStatus.OK, Report.of(report))

    return _respond(call, query, "Time report", build)


def _respond(call: Call, query: AnyReportQuery, kind: str, build: _Build) -> Reply:
    """Builds a report in the requested format; exports of files are recorded."""
    media, span = _media_type(call, query), query.span
    query.require_csv(is_csv=media == CSV)
    require_format({"variant"} if query.variant else set(), "workbooks", is_it=media == XLSX)
    refused = _refresh_titles(call, query, media) if azure_devops.has_token(call) else NO_REFUSED_ITEMS
    with call.transaction() as tx:
        request = _resolve_request(tx, call, query, kind, media)
        reply = build(call.work(tx), replace(request, refused=refused))
    if isinstance(reply, Reply):
        return reply
    extension = "csv" if media == CSV else "xlsx"
    tenant = call.caller.tenant
    if not call.is_head:
        with call.app.transaction(tenant=tenant.id) as tx:  # the first transaction is read-only
            service.record_export(call.work(tx), span, file_format=extension)
    disposition = f'attachment; filename="{_file_name(tenant, query, extension)}"'
    return Reply(HTTPStatus.OK, reply, {"Content-Type": media, "Content-Disposition": disposition})


def _refresh_titles(call: Call, query: AnyReportQuery, media: str) -> RefusedItems:
    """Refreshes the work items of the report; if Azure DevOps fails, the report shows them as they are."""
    if media != XLSX and query.type is None and not query.has_work_items:
        return NO_REFUSED_ITEMS  # the report has neither titles nor types
    with call.transaction() as tx:
        report_query = _resolve_query(tx, call, query)
    with contextlib.suppress(AzureDevOpsError):
        session = azure_devops.open_session(call, LOOKUP_SECONDS)
        return title_flow.refresh(call.app, call.caller, report_query, session)
    return NO_REFUSED_ITEMS


def _resolve_request(tx: sa.Connection, call: Call, query: AnyReportQuery, kind: str, media: str) -> _Request:
    report_query, tenant = _resolve_query(tx, call, query), call.caller.tenant
    if query.type is not None and query.include_unknown:
        unknown = UnknownTypes.LISTED if media == CSV else UnknownTypes.SUMMED
        report_query = replace(report_query, unknown=unknown)
    for_customer = query.variant is not None
    alike = frozenset[uuid.UUID]()
    if media == XLSX or (media == CSV and query.has_people):
        alike = service.find_alike(call.work(tx), by_name_alone=for_customer)
    names = Names(alike, with_addresses=not for_customer)
    listed_type = report_query.type if report_query.unknown is UnknownTypes.LISTED else None
    filters = _describe_filters(report_query, for_customer=for_customer)
    return _Request(
        report_query,
        media,
        Heading(kind, tenant.name, query.span, tenant.time_zone, call.now, filters, names, for_customer),
        CsvFormat(query.dialect, names, listed_type),
    )


def _resolve_query(tx: sa.Connection, call: Call, query: AnyReportQuery) -> ReportQuery:
    person = people.resolve_filter(tx, call.caller, query.user, everyone=call.sees_everyone)
    return ReportQuery(
        call.caller.user.id,
        query.span,
        read_since(call.now),
        person,
        organization=query.organization,
        project=query.project,
        type=query.type,
    )


def _describe_filters(query: ReportQuery, *, for_customer: bool) -> str:
    """The filters for people."""
    filters = {
        "person": _person_name(query.person, for_customer=for_customer),
        "organization": query.organization,
        "project": query.project,
        "type of work item": query.type,
    }
    return "; ".join(f"{name} {value}" for name, value in filters.items() if value is not None) or "none"


def _person_name(person: Person | None, *, for_customer: bool) -> str | None:
    if person is None:
        return None
    return FORMER.display_name if for_customer and person.is_erased else person.display_name


def _file_name(tenant: Tenant, query: AnyReportQuery, extension: str) -> str:
    variant = "" if query.variant is None else f"-{query.variant}"
    return f"timetracker-{tenant.slug}-{query.span.name}{variant}.{extension}"


def _media_type(call: Call, query: AnyReportQuery) -> str:
    if query.format is not None:
        return _MEDIA[query.format]
    return preferred(call.request, _EVERY)
