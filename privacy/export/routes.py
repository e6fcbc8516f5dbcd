"""The HTTP function of data exports."""

import tempfile
import uuid
from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from privacy.export import flow as export_flow
from privacy.export import service as export_service
from privacy.export.schemas import DataExport, ExportQuery, Format
from privacy.export.service import ExportSubject
from privacy.requests import submission
from privacy.rules import Scope
from shared.errors import Forbidden
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.headers import takes_gzip
from shared.http.operation import JSON, PERSON, Answer, Operation, merge_problems
from shared.http.parsing import public_id
from shared.http.reply import Reply
from shared.tenancy import people
from shared.tenancy.rules import processing_restricted


blueprint = func.Blueprint()
_ZIP: Final = "application/zip"
_IN_MEMORY: Final = 2**20


@route(
    blueprint,
    Operation(
        id="export_data",
        method=HTTPMethod.GET,
        path="privacy/export",
        tag="privacy",
        query=ExportQuery,
        answers={200: Answer("The export", DataExport, media=(JSON, _ZIP))},
        problems=merge_problems(PERSON, {403: ("role_required",)}),
    ),
)
def export_data(call: Call, query: ExportQuery) -> Reply:
    """Export personal data.

    All data about you, as JSON or as a zip of CSV files. A super admin can export a member's data, and with the scope
    `tenant` the organization's, without people whose processing is stopped. Each export is in the audit log. Titles,
    assignees and states of work items are included if you have read the item with your own token in the last 30 days.
    For large exports, send `Accept-Encoding: gzip`: the response is about ten times smaller.
    """
    with call.transaction() as tx:
        subject = _subject(call, tx, query)
    as_zip = query.format is Format.ZIP
    query.require_csv(is_csv=as_zip)
    compressed = not as_zip and takes_gzip(call.request)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
        export_flow.write(
            call.app,
            subject,
            spool,  # type: ignore[arg-type]
            as_zip=as_zip,
            dialect=query.dialect,
            compressed=compressed,
        )
        spool.seek(0)
        body = spool.read()
    if not call.is_head:
        with call.app.transaction(tenant=subject.tenant_id) as tx:  # the read's transaction cannot write the audit row
            export_service.record(call.work(tx), subject, file_format=query.format.value)
    name = f"timetracker-{call.caller.tenant.slug}-{subject.scope}.{query.format}"
    headers = {
        "Content-Type": _ZIP if as_zip else JSON,
        "Content-Disposition": f'attachment; filename="{name}"',
        **({"Content-Encoding": "gzip"} if compressed else {}),
        "Vary": "Accept-Encoding",
    }
    return Reply(HTTPStatus.OK, body, headers)


def _subject(call: Call, tx: sa.Connection, query: ExportQuery) -> ExportSubject:
    caller = call.caller
    if query.scope is Scope.TENANT:
        if not call.sees_everyone:
            raise Forbidden(
                "Only a super admin can export the data of the whole organization. Ask a super admin.",
                code="role_required",
            )
        return ExportSubject(caller.tenant.id, None, caller.user.id)
    wanted = None if query.user in {None, people.ME} else public_id(query.user) or uuid.UUID(int=0)
    person = submission.find_person(tx, caller, wanted, sees_everyone=call.sees_everyone)
    if person.is_restricted and person.id != caller.user.id:
        raise processing_restricted()
    return ExportSubject(caller.tenant.id, person.id, caller.user.id, is_own=person.id == caller.user.id)
