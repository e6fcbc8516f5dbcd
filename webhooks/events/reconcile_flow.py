"""Compares every purchase with Microsoft's list, and repairs differences that lost events left.

The list only shows the differences. Each is applied like an event, after Microsoft is asked again, so a slow, repeated
or concurrent comparison never restores an old state.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID

import sqlalchemy as sa

from billing import marketplace, subscriptions
from billing.marketplace import MarketplaceError, UnreadableRow
from billing.subscriptions import EventSource, Subscription, SubscriptionStatus
from shared.app import App
from shared.db.retry import RetryPolicy, for_jobs, for_requests
from shared.db.row_level_security import ALL_TENANTS
from shared.deadline import Deadline
from shared.errors import Inconclusive
from shared.jobs import job_work, transact
from shared.log import exception_fields, get_logger
from shared.work import SERVICE, Actor
from webhooks.agreement import store as agreement_store
from webhooks.agreement.rules import PurchaseRequest, RequestState
from webhooks.agreement.service import close as close_request
from webhooks.events.flow import SECONDS, apply_event
from webhooks.events.lookups import RECONCILE, EventRef, StateNotAvailable


if TYPE_CHECKING:
    from billing.marketplace import MarketplaceClient


_LIST_SECONDS: Final = 180.0
_ROW_SECONDS: Final = 20.0


@dataclass(slots=True)
class ReconcileReport:
    """The results of a comparison; each list has Microsoft's ids."""

    compared: int = 0
    changed: list[str] = field(default_factory=list)  # repaired, or to be repaired in a dry run
    waiting: list[str] = field(default_factory=list)  # bought, and not set up on the landing page
    unanswered: list[str] = field(default_factory=list)  # bought, and not agreed to yet
    missing: list[str] = field(default_factory=list)  # ours, and not on Microsoft's list
    unreadable: list[str] = field(default_factory=list)  # an empty id if even that is unreadable
    failed: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.failed and not self.unreadable


@dataclass(frozen=True, slots=True)
class ReconcileOptions:
    """The options of a comparison. Without a `limit` the list has three minutes, each differing row 20 seconds."""

    source: EventSource = EventSource.RECONCILE
    actor: Actor = SERVICE
    limit: Deadline | None = None
    dry_run: bool = False
    progress: Callable[[int], None] = lambda _compared: None

    def retry(self) -> RetryPolicy:
        """The retries of its transactions."""
        return for_jobs() if self.limit is None else for_requests()

    def row_deadline(self) -> Deadline:
        """The deadline for Microsoft's calls about one row."""
        return Deadline.after(_ROW_SECONDS) if self.limit is None else self.limit.at_most(_ROW_SECONDS)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A row of Microsoft's list, and our subscription."""

    row: marketplace.Subscription
    ours: Subscription | None
    lacks_price: bool


_SCHEDULED: Final = ReconcileOptions()


def reconcile(app: App, client: "MarketplaceClient", options: ReconcileOptions = _SCHEDULED) -> ReconcileReport:
    """Compares the whole list; an unreadable or failing row does not stop it.

    Raises:
        MarketplaceError: the list cannot be read; rows compared before are done.
    """
    retry = options.retry()
    bought, unpriced, requests = transact(
        app,
        ALL_TENANTS,
        lambda tx: (
            list(subscriptions.all_bought(tx)),
            subscriptions.without_price(tx),
            agreement_store.open_everywhere(tx),
        ),
        reads_only=True,
        retry=retry,
    )
    ours = {str(each.marketplace_id): each for each in bought}
    report, listed = ReconcileReport(), set[str]()
    for row in client.subscriptions(options.limit or Deadline.after(_LIST_SECONDS)):
        report.compared += 1
        if isinstance(row, UnreadableRow):
            report.unreadable.append(row.id or "")
        elif (request := requests.get(row.id)) is not None and row.id not in ours:
            _compare_request(app, options, request, row, report)
        elif row.id in ours or app.settings.is_sold_here(row.offer_id, row.plan_id):
            known = ours.get(row.id)
            pair = _Pair(row, known, lacks_price=known is not None and known.id in unpriced)
            _compare(app, client, options, pair, report, retry)
        listed.add(row.id or "")
        options.progress(report.compared)
    report.missing += _missing(ours, listed)
    return report


def reconcile_now(app: App, client: "MarketplaceClient", *, seconds: float = SECONDS) -> None:
    """Compares everything for an event whose body was lost, which happens to chunked bodies.

    A return accepts the change, as Microsoft does without an answer; a 4xx would reject a change that was paid for.
    Compared rows are done, so a repeat of the event continues after them.

    Raises:
        Inconclusive: not every purchase could be compared while Microsoft waits.
    """
    get_logger().error("marketplace_event_without_body")
    try:
        report = reconcile(app, client, ReconcileOptions(limit=Deadline.after(seconds)))
    except MarketplaceError as error:
        raise _incomplete(error.reason) from error
    log_report(report)
    if not report.is_whole:
        raise _incomplete("not_every_purchase")


def _incomplete(reason: str) -> Inconclusive:
    return Inconclusive(
        "The Marketplace cannot confirm this event now. Send it again.",
        reason=reason,
        code="marketplace_unavailable",
    )


def log_report(report: ReconcileReport) -> None:
    """Logs the counts, and an alarm for each purchase that needs attention."""
    for name, ids in (
        ("marketplace_purchase_not_set_up", report.waiting),
        ("marketplace_purchase_not_agreed", report.unanswered),
        ("marketplace_subscription_missing", report.missing),
        ("marketplace_subscription_unreadable", report.unreadable),
    ):
        for each in ids:
            get_logger().error(name, subscription=each)
    get_logger().info("marketplace_reconciled", count=len(report.changed), failed=len(report.failed))


def _compare(  # noqa: PLR0917 - the run and the row
    app: App,
    client: "MarketplaceClient",
    options: ReconcileOptions,
    pair: _Pair,
    report: ReconcileReport,
    retry: RetryPolicy,
) -> None:
    row, ours = pair.row, pair.ours
    try:
        if ours is None and row.status == marketplace.UNSUBSCRIBED:
            return  # canceled before it was set up
        if ours is not None and not pair.lacks_price and not _differs(ours, row, app):
            return
        if ours is not None and options.dry_run:
            report.changed.append(row.id)
            return
        ref = EventRef(UUID(row.id), None, RECONCILE, options.source, options.actor)
        result = retry.run(lambda: apply_event(app, client, ref, options.row_deadline()))
        if result is None:
            report.waiting.append(row.id)
        elif result.changed:
            report.changed.append(row.id)
    except (MarketplaceError, StateNotAvailable) as error:
        report.failed.append(row.id)
        get_logger().error("marketplace_reconcile_failed", subscription=row.id, reason=error.reason)
    except Exception as error:  # noqa: BLE001 - one purchase's failure must not reach the others
        report.failed.append(row.id)
        get_logger().error("marketplace_reconcile_failed", subscription=row.id, **exception_fields(error))


def _compare_request(
    app: App,
    options: ReconcileOptions,
    request: PurchaseRequest,
    row: marketplace.Subscription,
    report: ReconcileReport,
) -> None:
    """Closes a request if its purchase was canceled meanwhile; else it keeps waiting."""
    if row.status != marketplace.UNSUBSCRIBED:
        if request.state is RequestState.WAITING:
            report.unanswered.append(row.id)
        return
    report.changed.append(row.id)
    if options.dry_run:
        return

    def close(tx: sa.Connection) -> bool:
        work = job_work(app, tx, request.tenant_id, actor=options.actor, locks_tenant=True)
        return close_request(work, request, RequestState.CANCELLED)

    try:
        transact(app, request.tenant_id, close, retry=options.retry())
    except Exception as error:  # noqa: BLE001 - one purchase's failure must not reach the others
        report.changed.remove(row.id)
        report.failed.append(row.id)
        get_logger().error("marketplace_reconcile_failed", subscription=row.id, **exception_fields(error))


def _differs(ours: Subscription, row: marketplace.Subscription, app: App) -> bool:
    terms, now = subscriptions.terms_of(row), app.now()
    if terms is None:
        raise StateNotAvailable("status_unknown")
    return subscriptions.apply_terms(ours, terms, happened_at=now, now=now).terms != ours.terms


def _missing(ours: Mapping[str, Subscription], listed: set[str]) -> Iterator[str]:
    return (
        each
        for each, subscription in ours.items()
        if subscription.terms.status is not SubscriptionStatus.UNSUBSCRIBED and each not in listed
    )
