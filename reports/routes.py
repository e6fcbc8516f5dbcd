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
from reports.exports import csv as tables
from reports.exports import summary as tables_summary
from reports.exports import timesheet as tables_week
from reports.exports.columns import Names
from reports.exports.csv import Form
from reports.exports.customer import FORMER
from reports.exports.heading import Heading
from reports.queries import MonthReportQuery, Query, SummaryReportQuery, WeekReportQuery
from reports.schemas import Report, WeekReport
from reports.store import Asked, Unknown
from reports.title_service import NONE_REFUSED, Refused
from shared.http.call import Call
from shared.http.csv_options import require_format
from shared.http.endpoint import route
from shared.http.headers import preferred
from shared.http.operation import JSON, PERSON, Answer, Operation, merge_problems
from shared.http.parsing import public_id
from shared.http.reply import Reply
from shared.spreadsheet import CSV, XLSX
from shared.tenancy.model import Tenant
from timers import azure_devops
from timers.azure_devops import LOOKUP_SECONDS, AzureDevOpsError
from timers.work_items import read_since


blueprint = func.Blueprint()
_TAG: Final = "reports"
_MEDIA: Final = {"json": JSON, "csv": CSV, "xlsx": XLSX}
_EVERY: Final = (JSON, CSV, XLSX)
_PROBLEMS: Final = merge_problems(PERSON, {400: ("report_too_large",)})


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is asked for, and in which form: JSON, CSV or XLSX."""

    asked: Asked
    media: str
    heading: Heading
    form: Form
    refused: Refused = NONE_REFUSED

    @property
    def only_known(self) -> bool:
        return self.asked.unknown is not Unknown.LEFT_OUT


_Make = Callable[[sa.Connection, _Wanted], Reply | bytes]


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

    Your own time; admins see everyone's, or with `user` one person's. Days are those of the tenant's time zone when
    each entry was stopped. Totals by group, by day and overall always agree, also under filters.

    A workbook lists every piece of time behind its sums, and opens alike in every spreadsheet; how CSV opens depends on
    the region of the computer, see docs/files.md.

    Titles, assignees and states of work items are shown to those who have read them with their own token in the last 30
    days. With your Azure DevOps token a report that shows work items, or that filters by type, first reads up to 1,000
    of them, for at most five seconds: first those that you are not shown yet, then those that nobody has read for a
    day, the newest work first.
    """
    return _grouped(call, query)


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

    As the monthly report, for at most 366 days; `from` and `to` are both included.
    """
    return _grouped(call, query)


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

    As the monthly report, for the people who have time in the week. Give `week`, or `from` to begin on any weekday.
    """

    def make(tx: sa.Connection, wanted: _Wanted) -> Reply | bytes:
        if wanted.media == XLSX:
            titles, pieces = service.pieces(tx, wanted.asked, wanted.refused)
            return tables_week.week_book(wanted.heading, pieces, only_known=wanted.only_known, titles=titles)
        week = service.week(tx, call.caller, wanted.asked)
        if wanted.media == CSV:
            return tables.week_csv(week, wanted.form)
        return Reply.of(HTTPStatus.OK, WeekReport.of(week))

    return _made(call, query, "Timesheet", make)


def _grouped(call: Call, query: MonthReportQuery | SummaryReportQuery) -> Reply:
    groups = query.group_by

    def make(tx: sa.Connection, wanted: _Wanted) -> Reply | bytes:
        if wanted.media == XLSX:
            titles, pieces = service.pieces(tx, wanted.asked, wanted.refused)
            return tables_summary.report_book(
                wanted.heading, groups, pieces, only_known=wanted.only_known, titles=titles
            )
        if wanted.media == CSV:
            return tables.report_csv(groups, service.lines(tx, wanted.asked, groups), wanted.form)
        return Reply.of(HTTPStatus.OK, Report.of(service.report(tx, call.caller, wanted.asked, groups, wanted.refused)))

    return _made(call, query, "Time report", make)


def _made(call: Call, query: Query, kind: str, make: _Make) -> Reply:
    """One report in the form that is wanted; what leaves as a file goes on record."""
    media, span = _media(call, query), query.span
    query.require_csv(is_csv=media == CSV)
    require_format({"variant"} if query.variant else set(), "workbooks", is_it=media == XLSX)
    refused = _read(call, query, media) if azure_devops.has_token(call) else NONE_REFUSED
    with call.transaction() as tx:
        made = make(tx, replace(_wanted(tx, call, query, kind, media), refused=refused))
    if isinstance(made, Reply):
        return made
    extension = "csv" if media == CSV else "xlsx"
    tenant = call.caller.tenant
    if not call.is_head:
        with call.app.transaction(tenant=tenant.id) as tx:  # a read cannot write, and an export goes on record
            service.record_export(tx, call.caller, span, file_format=extension, now=call.now, row_id=call.app.new_id())
    disposition = f'attachment; filename="{_name(tenant, query, extension)}"'
    return Reply(HTTPStatus.OK, made, {"Content-Type": media, "Content-Disposition": disposition})


def _read(call: Call, query: Query, media: str) -> Refused:
    """Has the work items read that the report is to show; where that is not possible it shows them as they were."""
    if media != XLSX and query.type is None and not query.has_work_items:
        return NONE_REFUSED  # no title and no type is in it
    with call.transaction() as tx:
        asked = _asked(tx, call, query)
    with contextlib.suppress(AzureDevOpsError):
        return title_flow.read(call.app, call.caller, asked, azure_devops.open_session(call, LOOKUP_SECONDS))
    return NONE_REFUSED


def _wanted(tx: sa.Connection, call: Call, query: Query, kind: str, media: str) -> _Wanted:
    asked, tenant = _asked(tx, call, query), call.caller.tenant
    if query.type is not None and query.include_unknown:
        asked = replace(asked, unknown=Unknown.LISTED if media == CSV else Unknown.SUMMED)
    for_customer = query.variant is not None
    alike = frozenset[uuid.UUID]()
    if media == XLSX or (media == CSV and query.has_people):
        alike = service.alike(tx, asked, by_name_alone=for_customer)
    names = Names(alike, with_addresses=not for_customer)
    listed_type = asked.type if asked.unknown is Unknown.LISTED else None
    filters = _filters(asked, for_customer=for_customer)
    return _Wanted(
        asked,
        media,
        Heading(kind, tenant.name, query.span, tenant.time_zone, call.now, filters, names, for_customer),
        Form(query.dialect, names, listed_type),
    )


def _asked(tx: sa.Connection, call: Call, query: Query) -> Asked:
    own, tenant = call.caller.user, call.caller.tenant
    asked = Asked(
        tenant.id,
        own.id,
        query.span,
        read_since(call.now),
        organization=query.organization,
        project=query.project,
        type=query.type,
    )
    if query.user is not None:
        found = service.whose(tx, call.caller, public_id(query.user), everyone=call.sees_everyone)
        return replace(asked, user_id=found.id, user_name=found.display_name, user_is_erased=found.is_erased)
    return asked if call.sees_everyone else replace(asked, user_id=own.id, user_name=own.display_name)


def _filters(asked: Asked, *, for_customer: bool) -> str:
    """Which part of the tenant's time it is, for whoever finds the file later."""
    given = {
        "person": FORMER.display_name if for_customer and asked.user_is_erased else asked.user_name,
        "organization": asked.organization,
        "project": asked.project,
        "type of work item": asked.type,
    }
    return "; ".join(f"{name} {value}" for name, value in given.items() if value is not None) or "none"


def _name(tenant: Tenant, query: Query, extension: str) -> str:
    variant = "" if query.variant is None else f"-{query.variant}"
    return f"timetracker-{tenant.slug}-{query.span.name}{variant}.{extension}"


def _media(call: Call, query: Query) -> str:
    if query.format is not None:
        return _MEDIA[query.format]
    return preferred(call.request, _EVERY)
