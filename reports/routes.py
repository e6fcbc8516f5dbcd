"""The HTTP function of the monthly report, as JSON or CSV."""

from http import HTTPMethod, HTTPStatus

import azure.functions as func

from reports import service, tables
from reports.schemas import MonthReportQuery, Report
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import JSON, Answer, Operation
from shared.http.reply import Reply
from shared.spreadsheet import CSV


blueprint = func.Blueprint()


@route(
    blueprint,
    Operation(
        id="get_month_report",
        method=HTTPMethod.GET,
        path="reports/month",
        tag="reports",
        summary="Where a month went",
        description="Your own time; admins see everyone's. Days and months are those of the tenant's time zone when "
        "each entry was stopped. Totals by group, by day and overall always agree.",
        query=MonthReportQuery,
        answers={200: Answer("The report", Report, media=(JSON, CSV))},
    ),
)
def get_month_report(call: Call, query: MonthReportQuery) -> Reply:
    with call.transaction() as tx:
        user_id = None if call.sees_everyone else call.caller.user.id
        report = service.month(tx, call.caller, query.month, groups=query.group_by, user_id=user_id)
    if _wants_csv(call, query):
        with call.app.transaction() as tx:  # a read cannot write, and an export goes on record
            service.record_export(
                tx, call.caller, query.month, file_format="csv", now=call.now, row_id=call.app.new_id()
            )
        name = f"timetracker-{report.month.first:%Y-%m}.csv"
        headers = {"Content-Type": CSV, "Content-Disposition": f'attachment; filename="{name}"'}
        return Reply(HTTPStatus.OK, tables.month_csv(report), headers)
    return Reply.of(HTTPStatus.OK, Report.of(report))


def _wants_csv(call: Call, query: MonthReportQuery) -> bool:
    if query.format is not None:
        return query.format == "csv"
    accepted = call.request.headers.get("accept", "")
    return CSV in accepted and JSON not in accepted
