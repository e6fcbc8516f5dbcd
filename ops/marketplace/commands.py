"""The commands `marketplace show`, `reconcile` and `replay`: purchases, here and at Microsoft."""

import dataclasses
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from billing.marketplace.errors import MarketplaceNotFound
from billing.marketplace.model import Operation
from billing.subscriptions import rules
from billing.subscriptions.ledger_store import last_price
from billing.subscriptions.model import EventSource, Price, Subscription, Terms
from ops.confirm import ChangeOptions, DryRun, ProposedChange, Yes
from ops.errors import REJECTED, ItemNotFound, ServiceUnavailable
from ops.marketplace import purchase_agreement, store
from ops.marketplace.app import open_marketplace, parse_marketplace_id
from ops.output import AsJson, Fields, print_fields, print_json, print_rows, stderr_console, to_json
from ops.restore_hold import require_not_held
from shared.app import App
from shared.deadline import Deadline
from shared.tenancy.store import read_tenant
from shared.work import OPERATOR
from webhooks.events.flow import apply_event
from webhooks.events.lookups import REPLAY, EventRef, StateNotAvailable, fetch_state
from webhooks.events.reconcile_flow import ReconcileOptions, ReconcileReport, reconcile
from webhooks.events.service import load_known


if TYPE_CHECKING:
    from billing.marketplace.client import MarketplaceClient


app = typer.Typer(
    help="Purchases in the Marketplace: show, compare and repair them.", no_args_is_help=True, rich_markup_mode=None
)
SubscriptionId = Annotated[
    str, typer.Argument(metavar="SUBSCRIPTION", help="Microsoft's id of the subscription, or of one of its operations")
]
app.command("agree")(purchase_agreement.agree)
_SECONDS: Final = 60.0
_LEDGER: Final = (
    "EVENT",
    "OUTCOME",
    "SOURCE",
    "STATUS",
    "PLAN",
    "SEATS",
    "HAPPENED",
    "RECORDED",
    "OPERATION",
)


@dataclass(frozen=True, slots=True)
class _Purchase:
    """A purchase in both places; `ours` is None if it was never set up, `theirs` if Microsoft does not know it."""

    id: str
    slug: str | None
    ours: Subscription | None
    theirs: Terms | None
    our_price: Price | None
    their_price: Price | None
    waiting: list[Operation]
    ledger: list[Fields]

    @property
    def here(self) -> Fields:
        return {} if self.ours is None else _terms(self.ours.terms, self.our_price)

    @property
    def there(self) -> Fields:
        return {} if self.theirs is None else _terms(self.theirs, self.their_price)

    def document(self) -> dict[str, Any]:
        here, there = self.here, self.there
        waiting = [{"id": each.id, "action": each.action, "status": each.status} for each in self.waiting]
        return {
            "subscription": self.id,
            "tenant": self.slug,
            "ours": here or None,
            "microsoft": there or None,
            "differences": sorted(name for name in {**here, **there} if here.get(name) != there.get(name)),
            "outstanding": waiting,
            "ledger": self.ledger,
        }


@app.command()
def show(name: SubscriptionId, *, as_json: AsJson = False) -> None:
    """Show a purchase, here and at Microsoft.

    With its events and pending operations.
    """
    with open_marketplace() as (product, client):
        purchase = _read(product, client, name)
    document = purchase.document()
    if as_json:
        print_json(document)
        return
    here, there = document["ours"] or {}, document["microsoft"] or {}
    sides = [(field, here.get(field), there.get(field)) for field in {**here, **there}]
    print_fields(purchase.slug or "Not set up", {"subscription": purchase.id})
    print_rows(("", "HERE", "AT MICROSOFT"), sides, empty="Not found here or at Microsoft.")
    for each in purchase.waiting:
        stderr_console().print(f"Pending at Microsoft: {each.action} {each.id}")
    print_rows(_LEDGER, (tuple(row.values()) for row in purchase.ledger), empty="No events yet.")


@app.command("reconcile")
def reconcile_purchases(*, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Compare all purchases with Microsoft's list and repair ours.

    Exit code 1 if something needs attention.
    """
    from rich.progress import Progress, SpinnerColumn, TextColumn  # noqa: PLC0415 - slow to load, likewise

    console = stderr_console()
    columns = SpinnerColumn(), TextColumn("Compared {task.completed:.0f}")
    with (
        open_marketplace() as (product, client),
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        if not dry_run:
            require_not_held(product)
        task = progress.add_task("", total=None)
        how = ReconcileOptions(
            EventSource.OPERATOR,
            OPERATOR,
            dry_run=dry_run,
            progress=lambda compared: progress.update(task, completed=compared),
        )
        report = reconcile(product, client, how)
    _print(report, dry_run=dry_run, as_json=as_json)
    if report.waiting or report.missing or not report.is_whole:
        raise typer.Exit(REJECTED)


@app.command()
def replay(name: SubscriptionId, *, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Apply Microsoft's present state and price to a purchase."""
    options = ChangeOptions(yes, dry_run, as_json)
    with open_marketplace() as (product, client):
        purchase = _read(product, client, name)
        if purchase.ours is None or purchase.slug is None or purchase.theirs is None:
            raise ItemNotFound(f"{purchase.id} is not in both places; see: ops marketplace show {purchase.id}")
        if not dry_run:
            require_not_held(product)
        ref = EventRef(uuid.UUID(purchase.id), None, REPLAY, EventSource.OPERATOR, OPERATOR)
        try:
            there = _expect_fields(product, client, ref) or purchase.there
            change = ProposedChange.between(purchase.slug, purchase.here, there)
            if not change.confirm(options):
                return
            result = apply_event(product, client, ref, Deadline.after(_SECONDS))
        except StateNotAvailable as error:
            raise ServiceUnavailable(f"Microsoft does not return the state yet: {error.reason}") from error
    change.report(options, changed=result is not None and result.changed)
    for alarm in () if result is None else result.alarms:
        stderr_console().print(f"Needs attention: {alarm}")


def _expect_fields(product: App, client: "MarketplaceClient", ref: EventRef) -> Fields | None:
    """The fields after a replay: Microsoft's copy, with accepted changes that are not in force yet."""
    with product.transaction(reads_only=True) as tx:
        known = load_known(tx, ref.marketplace_id, None, now=product.now())
        price = None if known is None else last_price(tx, known.subscription)
    if known is None:
        return None
    microsoft = fetch_state(client, known, ref, Deadline.after(_SECONDS))
    return _terms(microsoft.terms, (microsoft.quote and microsoft.quote.price) or price)


def _read(product: App, client: "MarketplaceClient", name: str) -> _Purchase:
    """The purchase from both places.

    Raises:
        ItemNotFound: it is in neither.
    """
    guid, deadline = parse_marketplace_id(name), Deadline.after(_SECONDS)
    with product.transaction(reads_only=True) as tx:
        ours = store.find(tx, guid)
        slug = None if ours is None else read_tenant(tx, ours.tenant_id).slug
        price = None if ours is None else last_price(tx, ours)
        ledger = [] if ours is None else [_event(row) for row in store.ledger(tx, ours)]
    subscription_id = str(guid if ours is None else ours.marketplace_id)
    theirs, their_price = _theirs(client, subscription_id, deadline)
    if ours is None and theirs is None:
        raise ItemNotFound(f"there is no subscription or operation {guid}, here or at Microsoft")
    waiting = [] if theirs is None else client.operations(subscription_id, deadline)
    return _Purchase(subscription_id, slug, ours, theirs, price, their_price or price, waiting, ledger)


def _theirs(client: "MarketplaceClient", subscription_id: str, deadline: Deadline) -> tuple[Terms | None, Price | None]:
    try:
        copy = client.get(subscription_id, deadline)
    except MarketplaceNotFound:
        return None, None
    terms = rules.terms_of(copy)
    if terms is None:
        raise ServiceUnavailable(f"this version does not know Microsoft's state of the subscription: {copy.status}")
    return terms, rules.quote_of(client.plans(subscription_id, deadline), terms).price


def _terms(terms: Terms, price: Price | None) -> Fields:
    fields = {
        "status": terms.status,
        "plan": terms.plan_id,
        "seats": terms.quantity,
        "termUnit": terms.term_unit,
        "isFreeTrial": terms.is_free_trial,
        "termStartsAt": terms.term_starts_at,
        "termEndsAt": terms.term_ends_at,
        "autoRenew": terms.auto_renew,
        "ratePerUser": None if price is None else price.rate_per_user,
        "rateUnit": None if price is None else price.unit,
        "currency": None if price is None else price.currency,
    }
    return {name: to_json(value) for name, value in fields.items()}


def _event(row: Any) -> Fields:  # noqa: ANN401 - a row of the ledger
    return {
        "event": row.event_type,
        "outcome": row.outcome,
        "source": row.source,
        "status": row.status,
        "plan": row.plan_id,
        "seats": row.quantity,
        "happenedAt": to_json(row.effective_at),
        "recordedAt": to_json(row.recorded_at),
        "operation": to_json(row.operation_id),
    }


def _print(report: ReconcileReport, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({**dataclasses.asdict(report), "dryRun": dry_run})
        return
    results = {
        "repaired" if not dry_run else "different": report.changed,
        "not set up": report.waiting,
        "waits for agreement": report.unanswered,
        "not listed by Microsoft": report.missing,
        "unreadable": report.unreadable,
        "failed": report.failed,
    }
    rows = [(result, each or "without id") for result, ids in results.items() for each in ids]
    print_rows(("RESULT", "SUBSCRIPTION"), rows, empty="No differences.")
    stderr_console().print(f"{report.compared} compared.{' Dry run: nothing was changed.' if dry_run else ''}")
