"""The commands `tenants list`, `show`, `extend-trial` and `set-plan`."""

import datetime as dt
import re
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Final

import typer

from billing.subscriptions.model import Price
from ops import terms as rules
from ops.account import Account
from ops.confirm import Asked, Change, DryRun, Yes
from ops.database import Database, opened
from ops.exits import Refused, Unusable
from ops.marketplace import agreements
from ops.output import AsJson, aside, print_fields, print_json, print_json_rows, print_rows
from ops.tenants import store
from ops.tenants.views import TENANT_COLUMNS, organizations_of, summary, tenant_document, tenant_fields, tenant_row
from shared import audit, clock
from shared.tenancy.model import Plan, TenantStatus
from shared.tenancy.organization_store import find_all as find_organizations
from shared.tenancy.store import lock_tenant
from shared.work import OPERATOR, Work


app = typer.Typer(help="The tenants: see them, extend a trial, set a plan.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="TENANT", help="its slug, its id or the id of its directory")]
Id = Annotated[str, typer.Argument(metavar="TENANT", help="its id or the id of its directory")]
_PAGE: Final = 500
_RATE: Final = re.compile(r"\A[0-9]{1,9}(?:\.[0-9]{1,4})?\Z")
_CURRENCY: Final = re.compile(r"\A[A-Z]{3}\Z")
_SEATS: Final = re.compile(r"\A[0-9]{1,7}\Z")


def find(database: Database, name: str) -> Account:
    """The tenant that the operator names.

    Raises:
        Unusable: there is none.
    """
    try:
        guid = uuid.UUID(name)
    except ValueError:
        guid = None
    with database.transaction(reads_only=True) as tx:
        found = store.find_tenant(tx, slug=name.lower()[:64], guid=guid)
    if found is None:
        raise Unusable(f"no tenant has the slug, id or directory id {name!a}; see: python -m ops tenants list")
    return found


def find_by_id(database: Database, name: str) -> Account:
    """The tenant, for what cannot be undone: people mistype or misremember slugs.

    Raises:
        Unusable: it is not named by an id, or there is none.
    """
    try:
        uuid.UUID(name)
    except ValueError:
        raise Unusable(
            f"{name!a} is not an id: this cannot be undone, so name the tenant by its id or its directory's; "
            "see: python -m ops tenants show SLUG"
        ) from None
    return find(database, name)


@app.command("list")
def list_tenants(
    plan: Annotated[Plan | None, typer.Option(help="only those on this plan")] = None,
    status: Annotated[TenantStatus | None, typer.Option(help="only those in this state")] = None,
    expiring_within: Annotated[
        int | None, typer.Option(metavar="DAYS", min=0, max=3660, help="only trials that end in the next days")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List tenants in the order of their making."""
    now = clock.now()
    filters: dict[str, Any] = {"plan": plan and plan.value, "state": status and status.value}
    if expiring_within is not None:
        filters |= {"since": now, "until": now + dt.timedelta(days=expiring_within)}
    with opened() as database:
        limit = database.trial_user_limit
        accounts = _all(database, filters)
        if as_json:
            print_json_rows(tenant_document(account, limit, now) for account in accounts)
        else:
            rows = (tenant_row(account, limit, now) for account in accounts)
            print_rows(TENANT_COLUMNS, rows, nothing="No tenant is like that.")


def _all(database: Database, filters: dict[str, Any]) -> Iterator[Account]:
    after = 0
    while True:
        with database.transaction(reads_only=True) as tx:
            page = store.page_of_tenants(tx, after=after, size=_PAGE, **filters)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].tenant.id


@app.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show everything about one tenant."""
    now = clock.now()
    with opened() as database:
        account = find(database, name)
        with database.transaction(reads_only=True) as tx:
            people = store.people_of(tx, account.tenant.id)
            activity = store.activity_of(tx, account.tenant.id)
            organizations = find_organizations(tx, account.tenant.id)
    document = tenant_document(account, database.trial_user_limit, now)
    document |= organizations_of(organizations) | summary(people, activity)
    if as_json:
        print_json(document)
    else:
        print_fields(account.tenant.name, tenant_fields(document))


@app.command()
def extend_trial(
    name: Name,
    days: Annotated[int, typer.Option(min=1, max=90, help="how many days of 24 hours")],
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let a trial end later: so many days after its end, or after now when it is over."""
    with opened() as database:
        account = find(database, name)
        after = rules.extended(account, days=days, now=clock.now())
        _change(database, account, after, Asked(yes, dry_run, as_json), action=audit.Action.TRIAL_EXTENDED, cap=None)


@app.command()
def set_plan(
    name: Name,
    plan: Annotated[Plan, typer.Argument(help="paid needs --rate and --currency")],
    *,
    rate: Annotated[
        str | None, typer.Option(metavar="4.50", help="price of a user and month, or of a seat and term")
    ] = None,
    currency: Annotated[str | None, typer.Option(metavar="EUR", help="three letters of ISO 4217")] = None,
    seats: Annotated[
        str | None, typer.Option(metavar="N|none", help="enabled accounts admitted; when left out, as it is")
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put a tenant on a plan and make it active."""
    price = _price(plan, rate, currency, seats)
    with opened() as database:
        account = find(database, name)
        after = rules.on_plan(account, plan, price, trial_days=database.trial_days, now=clock.now())
        cap = rules.cap_of(account, after, database.trial_user_limit)
        rules.require_seats(account, cap)
        with database.transaction(reads_only=True) as tx:
            agreements.require_free(tx, account.tenant, after)
        for note in rules.notes(account, after, now=clock.now()):
            aside().print(note)
        _change(database, account, after, Asked(yes, dry_run, as_json), action=audit.Action.PLAN_CHANGED, cap=cap)


def amount_of(rate: str, currency: str) -> Price:
    """What a user and month, or a seat and term, costs, as the operator writes it.

    Raises:
        Unusable: it is no price.
    """
    if not _RATE.match(rate):
        raise Unusable(f"--rate {rate!a} is no price: expected digits and at most four decimal places, like 4.50")
    if not _CURRENCY.match(currency.upper()):
        raise Unusable(f"--currency {currency!a} is no currency: expected three letters, like EUR")
    return Price(Decimal(rate), currency.upper())


def _price(plan: Plan, rate: str | None, currency: str | None, seats: str | None) -> rules.Price | None:
    if plan is not Plan.PAID:
        if (rate, currency, seats) != (None, None, None):
            raise Unusable(f"the {plan} plan has neither rate, currency nor seats; leave out the options")
        return None
    if rate is None or currency is None:
        raise Unusable("the paid plan needs --rate and --currency")
    amount = amount_of(rate, currency)
    if seats not in {None, "none"} and not _SEATS.match(str(seats)):
        raise Unusable(f"--seats {seats!a} is no limit: expected a number, or none")
    limit = None if seats in {None, "none"} else int(str(seats))
    return rules.Price(amount.rate_per_user, amount.currency, limit, keeps_seats=seats is None)


def _change(
    database: Database, account: Account, after: rules.Terms, asked: Asked, *, action: audit.Action, cap: int | None
) -> None:
    change = Change.between(account.tenant.slug, rules.terms_of(account, clock.now()).wire(), after.wire())
    if not change.agreed(asked):
        return
    now = clock.now()
    with database.transaction() as tx:
        values = _values(account, after, cap, now)
        if action is audit.Action.PLAN_CHANGED:
            locked = Work(tx, lock_tenant(tx, account.tenant.id), OPERATOR, now, clock.new_id)
            values["bought"], values["unit"] = agreements.follow(locked, after)
        if not store.change_terms(tx, account.tenant.id, values):
            raise _overtaken(store.find_tenant(tx, slug="", guid=account.tenant.public_id), account, cap)
        audit.record_row(
            tx,
            account.tenant.id,
            action,
            actor=OPERATOR,
            at=now,
            row_id=clock.new_id(),
            before=change.before,
            after=change.after,
        )
    change.report(asked, changed=True)


def _values(account: Account, after: rules.Terms, cap: int | None, now: dt.datetime) -> dict[str, Any]:
    return {
        "seen": account.version,
        "cap": cap,
        "plan": after.plan.value,
        "state": after.status.value,
        "rate": after.rate_per_user,
        "money": after.currency,
        "unit": None,
        "bought": account.subscription_id,
        "seats": after.seat_limit,
        "trial_from": after.trial_started_at,
        "until": after.trial_ends_at,
        "now": now,
    }


def _overtaken(current: Account | None, seen: Account, cap: int | None) -> Refused:
    """Why the change found its tenant otherwise than it was shown to the operator."""
    if current is not None and current.version == seen.version:
        try:
            rules.require_seats(current, cap)
        except Refused as refused:
            return refused
    return Refused(
        f"{seen.tenant.slug} was changed by somebody else meanwhile; nothing was changed; "
        f"see: python -m ops tenants show {seen.tenant.slug}"
    )
