"""The commands `tenants list`, `show`, `extend-trial` and `set-plan`."""

import datetime as dt
import re
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Final

import typer

from billing.subscriptions.model import Price
from ops import plan_rules as rules
from ops.confirm import ChangeOptions, DryRun, ProposedChange, Yes
from ops.database import Database, open_database
from ops.errors import CommandRejected, ItemNotFound, WrongUsage
from ops.marketplace import direct_agreement
from ops.output import AsJson, print_fields, print_json, print_json_rows, print_rows, stderr_console
from ops.tenant_account import TenantAccount
from ops.tenants import store
from ops.tenants.views import TENANT_COLUMNS, organizations_of, summary, tenant_document, tenant_fields, tenant_row
from ops.work import operator_work
from shared import audit, clock
from shared.tenancy.model import Plan, TenantStatus
from shared.tenancy.organization_store import find_all as find_organizations


app = typer.Typer(help="Tenants: list them, extend a trial, set a plan.", no_args_is_help=True, rich_markup_mode=None)
TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="slug, id or directory id of the tenant")]
TenantId = Annotated[str, typer.Argument(metavar="TENANT", help="id or directory id of the tenant")]
_PAGE: Final = 500
_RATE: Final = re.compile(r"\A[0-9]{1,9}(?:\.[0-9]{1,4})?\Z")
_CURRENCY: Final = re.compile(r"\A[A-Z]{3}\Z")
_SEATS: Final = re.compile(r"\A[0-9]{1,7}\Z")


def find_tenant(database: Database, name: str) -> TenantAccount:
    """The tenant by slug, id or directory id.

    Raises:
        ItemNotFound: there is none.
    """
    try:
        guid = uuid.UUID(name)
    except ValueError:
        guid = None
    with database.transaction(reads_only=True) as tx:
        found = store.find_tenant(tx, slug=name.lower()[:64], guid=guid)
    if found is None:
        raise ItemNotFound(f"no tenant has the slug, id or directory id {name!a}; see: ops tenants list")
    return found


def find_tenant_by_id(database: Database, name: str) -> TenantAccount:
    """The tenant by id, for changes that cannot be undone: a slug is easily mistyped.

    Raises:
        WrongUsage: the name is not an id.
        ItemNotFound: no tenant has it.
    """
    try:
        uuid.UUID(name)
    except ValueError:
        raise WrongUsage(
            f"{name!a} is not an id; this cannot be undone, so it takes the id or the directory id of the tenant; "
            "see: ops tenants show SLUG"
        ) from None
    return find_tenant(database, name)


@app.command("list")
def list_tenants(
    plan: Annotated[Plan | None, typer.Option(help="only tenants on this plan")] = None,
    status: Annotated[TenantStatus | None, typer.Option(help="only tenants with this status")] = None,
    expiring_within: Annotated[
        int | None, typer.Option(metavar="DAYS", min=0, max=3660, help="only trials that end within DAYS days")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List tenants by creation date."""
    now = clock.now()
    filters: dict[str, Any] = {"plan": plan and plan.value, "state": status and status.value}
    if expiring_within is not None:
        filters |= {"since": now, "until": now + dt.timedelta(days=expiring_within)}
    with open_database() as database:
        limit = database.trial_user_limit
        accounts = _read_all(database, filters)
        if as_json:
            print_json_rows(tenant_document(account, limit, now) for account in accounts)
        else:
            rows = (tenant_row(account, limit, now) for account in accounts)
            print_rows(TENANT_COLUMNS, rows, empty="No tenants found.")


def _read_all(database: Database, filters: dict[str, Any]) -> Iterator[TenantAccount]:
    after = 0
    while True:
        with database.transaction(reads_only=True) as tx:
            page = store.page_of_tenants(tx, after=after, size=_PAGE, **filters)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].tenant.id


@app.command()
def show(name: TenantName, *, as_json: AsJson = False) -> None:
    """Show one tenant."""
    now = clock.now()
    with open_database() as database:
        account = find_tenant(database, name)
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
    name: TenantName,
    days: Annotated[int, typer.Option(metavar="DAYS", min=1, max=90, help="number of days, of 24 hours each")],
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Extend a trial.

    The days count from its end, or from now if it is over.
    """
    with open_database() as database:
        account = find_tenant(database, name)
        after = rules.extend_trial(account, days=days, now=clock.now())
        _change(
            database, account, after, ChangeOptions(yes, dry_run, as_json), action=audit.Action.TRIAL_EXTENDED, cap=None
        )


@app.command()
def set_plan(
    name: TenantName,
    plan: Annotated[Plan, typer.Argument(help="paid needs --rate and --currency")],
    *,
    rate: Annotated[
        str | None, typer.Option(metavar="4.50", help="price per user and month, or per seat and term")
    ] = None,
    currency: Annotated[str | None, typer.Option(metavar="EUR", help="ISO 4217 code of the currency")] = None,
    seats: Annotated[str | None, typer.Option(metavar="N|none", help="seat limit; unchanged by default")] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Set a tenant's plan and activate it."""
    price = _price(plan, rate, currency, seats)
    with open_database() as database:
        account = find_tenant(database, name)
        after = rules.set_plan(account, plan, price, trial_days=database.trial_days, now=clock.now())
        cap = rules.seat_cap_for(account, after, database.trial_user_limit)
        rules.require_seats(account, cap)
        with database.transaction(reads_only=True) as tx:
            direct_agreement.require_no_purchase(tx, account.tenant, after)
        for note in rules.trial_notes(account, after, now=clock.now()):
            stderr_console().print(note)
        _change(
            database, account, after, ChangeOptions(yes, dry_run, as_json), action=audit.Action.PLAN_CHANGED, cap=cap
        )


def parse_price(rate: str, currency: str) -> Price:
    """The price per user and month, or per seat and term.

    Raises:
        WrongUsage: it is not a price.
    """
    if not _RATE.match(rate):
        raise WrongUsage(f"--rate {rate!a} is not a price: expected digits and at most four decimal places, like 4.50")
    if not _CURRENCY.match(currency.upper()):
        raise WrongUsage(f"--currency {currency!a} is not a currency: expected three letters, like EUR")
    return Price(Decimal(rate), currency.upper())


def _price(plan: Plan, rate: str | None, currency: str | None, seats: str | None) -> rules.PlanPrice | None:
    if plan is not Plan.PAID:
        if (rate, currency, seats) != (None, None, None):
            raise WrongUsage(f"the {plan} plan has no rate, currency or seats; remove these options")
        return None
    if rate is None or currency is None:
        raise WrongUsage("the paid plan needs --rate and --currency")
    amount = parse_price(rate, currency)
    if seats not in {None, "none"} and not _SEATS.match(str(seats)):
        raise WrongUsage(f"--seats {seats!a} is not a seat limit: expected a number, or none")
    limit = None if seats in {None, "none"} else int(str(seats))
    return rules.PlanPrice(amount.rate_per_user, amount.currency, limit, keeps_seats=seats is None)


def _change(
    database: Database,
    account: TenantAccount,
    after: rules.PlanTerms,
    options: ChangeOptions,
    *,
    action: audit.Action,
    cap: int | None,
) -> None:
    change = ProposedChange.between(
        account.tenant.slug, rules.terms_of(account, clock.now()).to_wire(), after.to_wire()
    )
    if not change.confirm(options):
        return
    with operator_work(database, account.tenant.id, locks_tenant=True) as work:
        values = _values(account, after, cap, work.now)
        if action is audit.Action.PLAN_CHANGED:
            values["bought"], values["unit"] = direct_agreement.apply_plan(work, after)
        if not store.change_terms(work.tx, account.tenant.id, values):
            raise _conflict(store.find_tenant(work.tx, slug="", guid=account.tenant.public_id), account, cap)
        audit.record(work, action, before=change.before, after=change.after)
    change.report(options, changed=True)


def _values(account: TenantAccount, after: rules.PlanTerms, cap: int | None, now: dt.datetime) -> dict[str, Any]:
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


def _conflict(current: TenantAccount | None, seen: TenantAccount, cap: int | None) -> CommandRejected:
    """The reason why the tenant is no longer as the operator saw it."""
    if current is not None and current.version == seen.version:
        try:
            rules.require_seats(current, cap)
        except CommandRejected as rejected:
            return rejected
    return CommandRejected(
        f"{seen.tenant.slug} was modified concurrently; nothing was changed; see: ops tenants show {seen.tenant.slug}"
    )
