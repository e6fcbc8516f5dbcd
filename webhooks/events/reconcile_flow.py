"""Compares every purchase with what Microsoft has, and repairs what an event should have told.

The list only says where to look: what differs is settled as an event would be, by asking Microsoft once more. So a
comparison that is slow, or runs twice, or beside events, puts nothing back.
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
from shared.jobs import transact
from shared.log import get_logger, where
from shared.tenancy.store import lock_tenant
from shared.work import SERVICE, Actor
from webhooks.agreement import store as agreement_store
from webhooks.agreement.rules import PurchaseRequest, RequestState
from webhooks.agreement.service import Decision
from webhooks.agreement.service import close as close_request
from webhooks.events.flow import SECONDS, settle
from webhooks.events.lookups import RECONCILE, NotTold, Question


if TYPE_CHECKING:
    from billing.marketplace import Marketplace


_LIST_SECONDS: Final = 180.0
_ROW_SECONDS: Final = 20.0


@dataclass(slots=True)
class Report:
    """What a comparison found; each list has the ids of Microsoft."""

    compared: int = 0
    changed: list[str] = field(default_factory=list)  # now as Microsoft has them, or would be after a dry run
    waiting: list[str] = field(default_factory=list)  # bought, and nobody came to the landing page
    unanswered: list[str] = field(default_factory=list)  # bought, and nobody who may has agreed yet
    missing: list[str] = field(default_factory=list)  # ours, and Microsoft does not list them
    unreadable: list[str] = field(default_factory=list)  # empty where not even the id can be read
    failed: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.failed and not self.unreadable


@dataclass(frozen=True, slots=True)
class How:
    """Who compares, within which time, whether anything may be changed, and who hears of each row.

    Without a `limit` the list has three minutes, and each row that differs 20 seconds.
    """

    source: EventSource = EventSource.RECONCILE
    actor: Actor = SERVICE
    limit: Deadline | None = None
    dry_run: bool = False
    progress: Callable[[int], None] = lambda _compared: None

    def retry(self) -> RetryPolicy:
        """For the database."""
        return for_jobs() if self.limit is None else for_requests()

    def of_a_row(self) -> Deadline:
        """The time for asking about one row."""
        return Deadline.after(_ROW_SECONDS) if self.limit is None else self.limit.at_most(_ROW_SECONDS)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A row of Microsoft's list, and what is here of it."""

    row: marketplace.Subscription
    ours: Subscription | None
    lacks_price: bool


_BY_THE_CLOCK: Final = How()


def reconcile(app: App, client: "Marketplace", how: How = _BY_THE_CLOCK) -> Report:
    """Goes through the whole list; one row that cannot be read, or fails, does not stop it.

    Raises:
        MarketplaceError: the list itself cannot be had; what was compared before is done.
    """
    retry = how.retry()
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
    report, listed = Report(), set[str]()
    for row in client.subscriptions(how.limit or Deadline.after(_LIST_SECONDS)):
        report.compared += 1
        if isinstance(row, UnreadableRow):
            report.unreadable.append(row.id or "")
        elif (request := requests.get(row.id)) is not None and row.id not in ours:
            _compare_request(app, how, request, row, report)
        elif row.id in ours or app.settings.is_sold_here(row.offer_id, row.plan_id):
            known = ours.get(row.id)
            pair = _Pair(row, known, lacks_price=known is not None and known.id in unpriced)
            _compare(app, client, how, pair, report, retry)
        listed.add(row.id or "")
        how.progress(report.compared)
    report.missing += _missing(ours, listed)
    return report


def catch_up(app: App, client: "Marketplace", *, seconds: float = SECONDS) -> None:
    """Takes an event whose body did not arrive, as when it was sent in chunks: everything is compared at once.

    To return accepts a change, as Microsoft does where nobody answers; a 4xx would reject one that somebody paid for.
    What was compared stays, so that an event that is sent again goes on from there.

    Raises:
        Inconclusive: not every purchase could be compared while Microsoft waits for the answer.
    """
    get_logger().error("marketplace_event_without_body")
    try:
        report = reconcile(app, client, How(limit=Deadline.after(seconds)))
    except MarketplaceError as error:
        raise _not_through(error.reason) from error
    tell(report)
    if not report.is_whole:
        raise _not_through("not_every_purchase")


def _not_through(reason: str) -> Inconclusive:
    return Inconclusive(
        "The Marketplace cannot tell now what this event is about. Send it again.",
        reason=reason,
        code="marketplace_unavailable",
    )


def tell(report: Report) -> None:
    """Writes the counts to the log, and an alarm for everything that somebody must look at."""
    for name, ids in (
        ("marketplace_purchase_waiting", report.waiting),
        ("marketplace_purchase_unanswered", report.unanswered),
        ("marketplace_subscription_missing", report.missing),
        ("marketplace_subscription_unreadable", report.unreadable),
    ):
        for each in ids:
            get_logger().error(name, subscription=each)
    get_logger().info("marketplace_reconciled", count=len(report.changed), failed=len(report.failed))


def _compare(  # noqa: PLR0917 - what the run has, and the row
    app: App,
    client: "Marketplace",
    how: How,
    pair: _Pair,
    report: Report,
    retry: RetryPolicy,
) -> None:
    row, ours = pair.row, pair.ours
    try:
        if ours is None and row.status == marketplace.UNSUBSCRIBED:
            return  # left before anybody set it up
        if ours is not None and not pair.lacks_price and not _differs(ours, row, app):
            return
        if ours is not None and how.dry_run:
            report.changed.append(row.id)
            return
        question = Question(UUID(row.id), None, RECONCILE, how.source, how.actor)
        taken = retry.run(lambda: settle(app, client, question, how.of_a_row()))
        if taken is None:
            report.waiting.append(row.id)
        elif taken.changed:
            report.changed.append(row.id)
    except (MarketplaceError, NotTold) as error:
        report.failed.append(row.id)
        get_logger().error("marketplace_reconcile_failed", subscription=row.id, reason=error.reason)
    except Exception as error:  # noqa: BLE001 - one purchase's failure must not reach the others
        report.failed.append(row.id)
        get_logger().error("marketplace_reconcile_failed", subscription=row.id, **where(error))


def _compare_request(
    app: App, how: How, request: PurchaseRequest, row: marketplace.Subscription, report: Report
) -> None:
    """One that nobody has agreed to: it waits on, or was cancelled meanwhile."""
    if row.status != marketplace.UNSUBSCRIBED:
        if request.state is RequestState.WAITING:
            report.unanswered.append(row.id)
        return
    report.changed.append(row.id)
    if how.dry_run:
        return
    decision = Decision(how.actor, app.now(), app.new_id)

    def close(tx: sa.Connection) -> bool:
        lock_tenant(tx, request.tenant_id)
        return close_request(tx, request, RequestState.CANCELLED, decision)

    try:
        transact(app, request.tenant_id, close, retry=how.retry())
    except Exception as error:  # noqa: BLE001 - one purchase's failure must not reach the others
        report.changed.remove(row.id)
        report.failed.append(row.id)
        get_logger().error("marketplace_reconcile_failed", subscription=row.id, **where(error))


def _differs(ours: Subscription, row: marketplace.Subscription, app: App) -> bool:
    terms, now = subscriptions.terms_of(row), app.now()
    if terms is None:
        raise NotTold("status_unknown")
    return subscriptions.moved(ours, terms, happened_at=now, now=now).terms != ours.terms


def _missing(ours: Mapping[str, Subscription], listed: set[str]) -> Iterator[str]:
    return (
        each
        for each, subscription in ours.items()
        if subscription.terms.status is not SubscriptionStatus.UNSUBSCRIBED and each not in listed
    )
