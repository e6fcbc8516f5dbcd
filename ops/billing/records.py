"""The commands `billing records`, `billing void` and `billing set-price`: list bills, and correct one."""

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
from ops.arguments import parse_id
from ops.billing import store
from ops.billing.closing import DIMENSION, operator_closing
from ops.billing.views import BILL_COLUMNS, bill_document, bill_row
from ops.confirm import ChangeOptions, DryRun, ProposedChange, Yes
from ops.database import Database, open_database
from ops.errors import CommandRejected, ItemNotFound, WrongUsage
from ops.output import AsJson, Fields, print_json_rows, print_rows, to_json
from ops.restore_hold import require_not_held
from ops.tenants.commands import find_tenant, parse_price
from ops.work import work_in
from shared.calendar import Month
from shared.text import is_blank


_PAGE: Final = 500
_LONGEST_REASON: Final = 400
RecordId = Annotated[str, typer.Argument(metavar="RECORD", help="id of the bill; see: ops billing records")]


def register(app: typer.Typer) -> None:
    """Adds the commands to their group."""
    app.command("records")(records)
    app.command("void")(void)
    app.command("set-price")(set_price)


def records(
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="only this tenant: slug or id")] = None,
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="only bills of this month")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List bills by date of closing, including void ones."""
    try:
        only = None if month is None else Month.parse(month)
    except ValueError as error:
        raise WrongUsage(f"--month {month!a} is not a month: expected a value like 2026-11") from error
    with open_database() as database:
        tenant_id = None if tenant is None else find_tenant(database, tenant).tenant.id
        documents = _all(database, tenant_id, only)
        if as_json:
            print_json_rows(documents)
        else:
            print_rows(BILL_COLUMNS, map(bill_row, documents), empty="No bills found.")


def void(
    record: RecordId,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="reason, stored with the bill; without personal data")],
    *,
    replace: Annotated[bool, typer.Option("--replace", help="close its month again, from the present data")] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Void a bill.

    It stays on record and is excluded from billing. A void bill can be replaced once.
    """
    if is_blank(reason) or len(reason.strip()) > _LONGEST_REASON:
        raise WrongUsage(f"--reason must have 1 to {_LONGEST_REASON} characters")
    options, bill_id = ChangeOptions(yes, dry_run, as_json), _parse_record_id(record)
    with open_database(os.environ, DIMENSION) as database:
        with database.transaction(reads_only=True) as tx:
            row = _find_bill(tx, bill_id)
        bill = record_of(row)
        if bill.state is State.VOID and not replace:
            raise CommandRejected("the bill is void already; nothing was changed; --replace closes its month again")
        closing = operator_closing(database)
        replacement = _apply_void(database, bill, reason.strip(), closing, replace=replace, commit=False)
        change = ProposedChange(row.slug, _fields(bill, None), _fields(bill, replacement, state=State.VOID))
        if replace and not dry_run:
            require_not_held(database)
        if change.confirm(options):
            _apply_void(database, bill, reason.strip(), closing, replace=replace, commit=True)
            change.report(options, changed=True)


def set_price(
    record: RecordId,
    rate: Annotated[str, typer.Option(metavar="4.50", help="price per user and month, or per seat and term")],
    currency: Annotated[str, typer.Option(metavar="EUR", help="ISO 4217 code of the currency")],
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Set the price of a bill that has none.

    The bill is replaced, and so are other bills of the same plan without a price.
    """
    options, bill_id = ChangeOptions(yes, dry_run, as_json), _parse_record_id(record)
    known = parse_price(rate, currency)
    with open_database(os.environ, DIMENSION) as database:
        with database.transaction(reads_only=True) as tx:
            row = _find_bill(tx, bill_id)
        bill = record_of(row)
        if bill.state is State.VOID or bill.price is not None:
            raise CommandRejected("the bill is void, or has a price; nothing was changed")
        closing = operator_closing(database)
        replacement = _apply_price(database, bill, known, closing, commit=False)
        change = ProposedChange(row.slug, _fields(bill, None), _fields(bill, replacement, state=State.VOID))
        if not dry_run:
            require_not_held(database)
        if change.confirm(options):
            _apply_price(database, bill, known, closing, commit=True)
            change.report(options, changed=True)


def _parse_record_id(record: str) -> uuid.UUID:
    return parse_id(record, "a record id", see="billing records")


def _find_bill(tx: sa.Connection, bill_id: uuid.UUID) -> sa.Row[Any]:
    row = store.find_bill(tx, bill_id)
    if row is None:
        raise ItemNotFound(f"no bill has the id {bill_id}; see: ops billing records")
    return row


def _apply_price(database: Database, bill: Record, known: Price, closing: Closing, *, commit: bool) -> Record:
    """Returns the replacement of the bill; without `commit` the change is rolled back."""
    with database.transaction() as tx:
        work = work_in(tx, bill.tenant_id, locks_tenant=True)
        subscription = read_subscription(tx, bill.tenant_id, bill.subscription_id)
        service.set_price(tx, subscription, bill, known)
        replacements = {each.replaces_id: each for each in service.price_bills(work, closing)}
        if bill.id not in replacements:
            raise CommandRejected("the bill was replaced meanwhile, or its plan has another price; nothing was changed")
        if not commit:
            tx.rollback()
    return replacements[bill.id]


def _apply_void(
    database: Database, bill: Record, reason: str, closing: Closing, *, replace: bool, commit: bool
) -> Record | None:
    """Returns the replacement of the bill; without `commit` the change is rolled back."""
    try:
        with database.transaction() as tx:
            work = work_in(tx, bill.tenant_id, locks_tenant=True)
            if bill.state is State.CLOSED:
                service.void(work, bill, reason=reason)
            replacement = service.replace(work, bill, closing) if replace else None
            if not commit:
                tx.rollback()
            return replacement
    except NotVoidable as error:
        raise CommandRejected(f"{error}; nothing was changed") from error


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
    return {name: to_json(value) for name, value in fields.items()}


def _total(bill: Record) -> str:
    if bill.is_by_seats:
        return "Microsoft charges for the seats"
    if bill.price is None:
        return "price unknown"
    return f"{to_json(bill.amount)} {bill.price.currency}" if bill.amount is not None else "no monthly price"


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
