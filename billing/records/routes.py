"""The HTTP functions of the bills: records, a month with its lines, its statement to print, and the running month."""

from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func

from billing.closing.model import State
from billing.records import service as records_service
from billing.records import store as records_store
from billing.records.schemas import BillingMonth, BillingPreview, BillingRecord, BillingRecordPage, RecordsQuery
from billing.records.statement import Vendor, statement
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import NOT_FOUND, Answer, Operation
from shared.http.paging import id_cursor
from shared.http.reply import Reply
from shared.settings import Settings


blueprint = func.Blueprint()
PDF: Final = "application/pdf"
_TAG: Final = "billing"


@route(
    blueprint,
    Operation(
        id="list_billing_records",
        method=HTTPMethod.GET,
        path="billing/records",
        tag=_TAG,
        query=RecordsQuery,
        answers={200: Answer("A page of records", BillingRecordPage)},
    ),
)
def list_billing_records(call: Call, query: RecordsQuery) -> Reply:
    """Your organisation's bills, newest month first.

    One record for each subscription and month. A record never changes: a mistake is voided and replaced, and both are
    listed.
    """
    after = id_cursor(query.after)
    with call.transaction() as tx:
        state = None if query.state is None else State(query.state)
        rows = records_store.page(
            tx, call.caller.tenant.id, month=query.month, state=state, after=after, limit=query.limit
        )
        query.require_rows(rows)
        items = [BillingRecord.of(row) for row in rows[: query.page_size]]
        link = query.next_link("billing/records", rows, lambda row: row.public_id)
        return call.answer(tx, HTTPStatus.OK, BillingRecordPage(items=items, next_link=link))


@route(
    blueprint,
    Operation(
        id="get_billing_month",
        method=HTTPMethod.GET,
        path="billing/records/{month}",
        tag=_TAG,
        answers={200: Answer("The records of the month", BillingMonth)},
        problems=NOT_FOUND,
    ),
)
def get_billing_month(call: Call) -> Reply:
    """The bills of a month, with everybody who counts and why.

    `month` is written like 2026-11. A month with several subscriptions has several records.
    """
    with call.transaction() as tx:
        month, bills = records_service.bills_of(tx, call.caller.tenant, call.path("month"), now=call.now)
        return call.answer(tx, HTTPStatus.OK, BillingMonth.of(month, bills))


@route(
    blueprint,
    Operation(
        id="get_billing_statement",
        method=HTTPMethod.GET,
        path="billing/records/{month}/statement",
        tag=_TAG,
        answers={200: Answer("The statement", media=(PDF,))},
        problems=NOT_FOUND,
    ),
)
def get_billing_statement(call: Call) -> Reply:
    """The usage statement of a month, as PDF.

    A statement, not an invoice: Microsoft invoices what was bought in the Marketplace, the vendor what was agreed with
    it. It has every record of the month.
    """
    with call.transaction() as tx:
        tenant = call.caller.tenant
        month, bills = records_service.bills_of(tx, tenant, call.path("month"), now=call.now)
    document = statement(_vendor(call.app.settings), tenant.name, month, bills)
    if not call.is_head:
        with call.app.transaction(tenant=tenant.id) as tx:  # a read cannot write, and an export goes on record
            records_service.record_statement(tx, call.caller, month, now=call.now, row_id=call.app.new_id())
    name = f"timetracker-{tenant.slug}-{month}-statement.pdf"
    return Reply(
        HTTPStatus.OK, document, {"Content-Type": PDF, "Content-Disposition": f'attachment; filename="{name}"'}
    )


@route(
    blueprint,
    Operation(
        id="get_billing_preview",
        method=HTTPMethod.GET,
        path="billing/preview",
        tag=_TAG,
        answers={200: Answer("The bill as it would be now", BillingPreview)},
        problems=NOT_FOUND,
    ),
)
def get_billing_preview(call: Call) -> Reply:
    """What the running month comes to so far.

    By the same computation that will close the month. It changes until then.
    """
    with call.transaction() as tx:
        bill, lines, seats = records_service.preview(tx, call.caller.tenant, now=call.now)
        return call.answer(tx, HTTPStatus.OK, BillingPreview.of(bill, lines, seats, now=call.now))


def _vendor(settings: Settings) -> Vendor:
    return Vendor(settings.vendor_name, settings.vendor_address, settings.vendor_contact)
