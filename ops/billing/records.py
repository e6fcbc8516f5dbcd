"""The commands `billing records` and `billing void`: the bills there are, and one that is wrong."""

import os
import uuid
from collections.abc import Iterator
from typing import Annotated, Any, Final

import sqlalchemy as sa
import typer

from billing.closing import service
from billing.closing.model import NotVoidable, Record, State
from billing.closing.record_store import record_of
from billing.closing.service import Closing
from billing.subscriptions.model import Price
from billing.subscriptions.store import read as read_subscription
from ops.billing import store
from ops.billing.closing import DIMENSION, closing_of, locked_work
from ops.billing.views import BILL_COLUMNS, bill_document, bill_row
from ops.confirm import Asked, Change, DryRun, Yes
from ops.database import Database, opened
from ops.exits import Refused, Unusable
from ops.held import refuse_if_held
from ops.output import AsJson, Fields, plain, print_json_rows, print_rows
from ops.tenants.commands import amount_of, find
from shared.calendar import Month
from shared.text import is_blank


_PAGE: Final = 500
_LONGEST_REASON: Final = 400


def register(app: typer.Typer) -> None:
    """Adds the commands to their group."""
    app.command("records")(records)
    app.command("void")(void)
    app.command("price")(price)


def records(
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="only its bills: slug or id")] = None,
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="only bills of this month")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List bills in the order in which they were closed, those that are void among them."""
    try:
        only = None if month is None else Month.parse(month)
    except ValueError as error:
        raise Unusable(f"--month {month!a} is no month: expected like 2026-11") from error
    with opened() as database:
        tenant_id = None if tenant is None else find(database, tenant).tenant.id
        documents = _all(database, tenant_id, only)
        if as_json:
            print_json_rows(documents)
        else:
            print_rows(BILL_COLUMNS, map(bill_row, documents), nothing="There is no such bill.")


def void(
    record: Annotated[uuid.UUID, typer.Argument(metavar="RECORD", help="the bill's id, as `records` shows it")],
    reason: Annotated[str, typer.Option(help="why it is wrong; kept with the bill, so without names")],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="close its month anew, from the data as it is now")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Void a bill; it is kept, and bills nobody any more. A void bill can still be replaced, once."""
    if is_blank(reason) or len(reason.strip()) > _LONGEST_REASON:
        raise Unusable(f"--reason must say why, in at most {_LONGEST_REASON} characters")
    asked = Asked(yes, dry_run, as_json)
    with opened(os.environ, DIMENSION) as database:
        with database.transaction(reads_only=True) as tx:
            row = store.find_bill(tx, record)
        if row is None:
            raise Unusable(f"no bill has the id {record}; see: python -m ops billing records")
        bill = record_of(row)
        if bill.state is State.VOID and not replace:
            raise Refused("it is void already; nothing was changed; --replace closes its month anew")
        closing = closing_of(database)
        tried = _voided(database, bill, reason.strip(), closing, replace=replace, keep=False)
        change = Change(row.slug, _fields(bill, None), _fields(bill, tried, state=State.VOID))
        if replace and not dry_run:
            refuse_if_held(database)
        if change.agreed(asked):
            _voided(database, bill, reason.strip(), closing, replace=replace, keep=True)
            change.report(asked, changed=True)


def price(
    record: Annotated[uuid.UUID, typer.Argument(metavar="RECORD", help="the bill's id, as `records` shows it")],
    rate: Annotated[str, typer.Option(metavar="4.50", help="price of a user and month, or of a seat and term")],
    currency: Annotated[str, typer.Option(metavar="EUR", help="three letters of ISO 4217")],
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give a bill the price that could not be read; it is replaced, and so are others of the same plan."""
    asked = Asked(yes, dry_run, as_json)
    known = amount_of(rate, currency)
    with opened(os.environ, DIMENSION) as database:
        with database.transaction(reads_only=True) as tx:
            row = store.find_bill(tx, record)
        if row is None:
            raise Unusable(f"no bill has the id {record}; see: python -m ops billing records")
        bill = record_of(row)
        if bill.state is State.VOID or bill.price is not None:
            raise Refused("it is void, or has a price; nothing was changed")
        closing = closing_of(database)
        tried = _priced(database, bill, known, closing, keep=False)
        change = Change(row.slug, _fields(bill, None), _fields(bill, tried, state=State.VOID))
        if not dry_run:
            refuse_if_held(database)
        if change.agreed(asked):
            _priced(database, bill, known, closing, keep=True)
            change.report(asked, changed=True)


def _priced(database: Database, bill: Record, known: Price, closing: Closing, *, keep: bool) -> Record:
    """The record that takes the bill's place; without `keep` all is undone, and tells what would be."""
    with database.transaction() as tx:
        work = locked_work(tx, bill.tenant_id)
        subscription = read_subscription(tx, bill.tenant_id, bill.subscription_id)
        service.set_price(tx, subscription, bill, known)
        replacements = {each.replaces_id: each for each in service.price_bills(work, closing)}
        if bill.id not in replacements:
            raise Refused("it was replaced meanwhile, or its plan has another price; nothing was changed")
        if not keep:
            tx.rollback()
    return replacements[bill.id]


def _voided(
    database: Database, bill: Record, reason: str, closing: Closing, *, replace: bool, keep: bool
) -> Record | None:
    """The record that takes the bill's place; without `keep` all is undone, and tells what would be."""
    try:
        with database.transaction() as tx:
            work = locked_work(tx, bill.tenant_id)
            if bill.state is State.CLOSED:
                service.void(work, bill, reason=reason)
            replacement = service.replace(work, bill, closing) if replace else None
            if not keep:
                tx.rollback()
            return replacement
    except NotVoidable as error:
        raise Refused(f"{error}; nothing was changed") from error


def _fields(bill: Record, replacement: Record | None, *, state: State | None = None) -> Fields:
    fields: dict[str, Any] = {
        "record": bill.public_id,
        "month": str(bill.period.month),
        "state": state or bill.state,
        "activeUsers": bill.active_users,
        "total": _total(bill),
        "replacement": None,
    }
    if replacement is not None:
        fields["replacement"] = f"{replacement.active_users} users, {_total(replacement)}"
    return {name: plain(value) for name, value in fields.items()}


def _total(bill: Record) -> str:
    if bill.is_by_seats:
        return "Microsoft charges for the seats"
    if bill.price is None:
        return "no price is known"
    return f"{plain(bill.amount)} {bill.price.currency}" if bill.amount is not None else "the price is not by the month"


def _all(database: Database, tenant_id: int | None, month: Month | None) -> Iterator[dict[str, Any]]:
    after = 0
    while True:
        with database.transaction(reads_only=True) as tx:
            page = store.page_of_bills(tx, after=after, size=_PAGE, tenant_id=tenant_id, month=month)
        yield from map(_document, page)
        if len(page) < _PAGE:
            return
        after = page[-1].id


def _document(row: sa.Row[Any]) -> dict[str, Any]:
    return bill_document(record_of(row), row.slug, row)
