"""The HTTP functions of bills: records, a month with its lines, the usage statement, and the preview."""

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
    """Bills of your organization, newest month first.

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
        link = query.next_link(call.link("billing/records"), rows, lambda row: row.public_id)
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
    """Bills of a month, with their active users.

    `month` is written like 2026-11. A month with several subscriptions has several records.
    """
    with call.transaction() as tx:
        month, bills = records_service.bills_of(call.work(tx), call.path("month"))
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

    A statement, not an invoice: Microsoft invoices Marketplace purchases, the vendor invoices its agreements. It shows
    every record of the month.
    """
    with call.transaction() as tx:
        tenant = call.caller.tenant
        month, bills = records_service.bills_of(call.work(tx), call.path("month"))
    document = statement(_vendor(call.app.settings), tenant.name, month, bills)
    if not call.is_head:
        with call.app.transaction(tenant=tenant.id) as tx:  # the read's transaction cannot write the audit row
            records_service.record_statement(call.work(tx), month)
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
        answers={200: Answer("The bill if the month ended now", BillingPreview)},
        problems=NOT_FOUND,
    ),
)
def get_billing_preview(call: Call) -> Reply:
    """Preview of the running month's bill.

    Computed as at the end of the month. It changes until then.
    """
    with call.transaction() as tx:
        bill, lines, seats = records_service.preview(call.work(tx))
        return call.answer(tx, HTTPStatus.OK, BillingPreview.of(bill, lines, seats, now=call.now))


def _vendor(settings: Settings) -> Vendor:
    return Vendor(settings.vendor_name, settings.vendor_address, settings.vendor_contact)
