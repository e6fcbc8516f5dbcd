"""Sends pending usage events: claims them, calls the meter outside a transaction, and stores the results.

An event keeps its hour, and the meter accepts one event for an hour. After a crash between sending and storing, the
claim expires, and the meter answers the repeat with "duplicate".
"""

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import sqlalchemy as sa

from billing import marketplace
from billing.marketplace.errors import MarketplaceError, MarketplaceUnauthorized, MarketplaceUnavailable
from billing.marketplace.usage_model import UsageKey, UsageResult
from billing.metering import rules, store
from billing.metering.model import Alarm, Sent, UsageEvent, UsageState, Verdict
from shared.app import App
from shared.db.retry import RetryPolicy, for_jobs, for_requests
from shared.db.row_level_security import ALL_TENANTS
from shared.deadline import Deadline
from shared.jobs import transact
from shared.log import exception_fields, get_logger
from shared.restore.flow import find_active_installation


if TYPE_CHECKING:
    from billing.marketplace.metering import Meter, UsageList

T = TypeVar("T")
CLAIM: Final = dt.timedelta(seconds=120)  # longer than a batch may take
RUN_SECONDS: Final = 200.0  # the platform ends a run after 300
AT_ONCE_SECONDS: Final = 3.0  # a webhook is answered within 10
_BATCH_SECONDS: Final = 20.0
_BATCH_SIZE: Final = 25
_OUTAGE: Final = 3  # consecutive batches without a response end the run
_WORD_LENGTH: Final = 40


def meter_of(app: App) -> "Meter | None":
    """None without metering: the Marketplace is off, or no dimension is set."""
    client = marketplace.of(app)
    return None if client is None or not app.settings.marketplace_metering_dimension else client.meter


def send_due(
    app: App,
    *,
    tenant_id: int | None = None,
    seconds: float = RUN_SECONDS,
    progress: Callable[[int], None] = lambda _tried: None,
    retry: RetryPolicy | None = None,
) -> Sent:
    """Sends every due event once, of all tenants or one; `progress` gets the number of tried events.

    An event that cannot be sent is left for the next run. If `failed` in the result is not 0, an operator should look.
    """
    meter = meter_of(app)
    if meter is None:
        return Sent()
    run = _Run(app, meter, Deadline.after(seconds), tenant_id, retry or for_jobs())
    for batch in run.claimed_batches():
        run.send(batch)
        progress(len(batch))
    return run.sent


def send_at_once(app: App, tenant_id: int) -> None:
    """Sends a tenant's events within seconds, after a bill was closed. Never raises.

    Events that could not be sent are left to the job's next run.
    """
    try:
        if find_active_installation(app) is None:
            return
        send_due(app, tenant_id=tenant_id, seconds=AT_ONCE_SECONDS, retry=for_requests())
    except Exception as error:  # noqa: BLE001 - the bill is closed, and its usage is in the outbox
        get_logger().error("usage_not_sent_at_once", **exception_fields(error))


def log_late_events(app: App) -> int:
    """Logs for each tenant the number of events that were not accepted within 24 hours; returns their sum.

    Events that wait for the meter's list are logged after 12 hours.
    """
    before = app.now() - rules.MAX_WAIT_FOR_LIST
    for tenant, count in transact(app, ALL_TENANTS, lambda tx: store.waiting_for_list(tx, before), reads_only=True):
        get_logger().error(Alarm.NOT_ASKED.value, tenant=str(tenant), count=count)
    late = transact(app, ALL_TENANTS, lambda tx: store.late(tx, app.now() - rules.TAKEN_FOR), reads_only=True)
    for tenant, count in late:
        get_logger().error(Alarm.LATE.value, tenant=str(tenant), count=count)
    return sum(count for _, count in late)


@dataclass(slots=True)
class _Run:
    app: App
    meter: "Meter"
    deadline: Deadline
    tenant_id: int | None
    retry: RetryPolicy
    sent: Sent = field(default_factory=Sent)
    _unanswered: int = 0
    _is_over: bool = False

    def claimed_batches(self) -> Iterable[list[UsageEvent]]:
        """Each event is claimed at most once in a run, in the order of the rows."""
        after = (0, 0)
        while not self._is_over and self.deadline.left > 0:
            found, batch = self._transact(self.tenant_id or ALL_TENANTS, partial(self._claim, after=after))
            if not found:
                return
            after = found[-1].tenant_id, found[-1].id
            if batch:
                yield batch

    def _claim(self, tx: sa.Connection, after: tuple[int, int]) -> tuple[list[UsageEvent], list[UsageEvent]]:
        """The due events, and those that could be claimed. A claim whose COMMIT was not answered expires."""
        now = self.app.now()
        found = store.due(tx, now=now, after=after, limit=_BATCH_SIZE, tenant_id=self.tenant_id)
        claims = [store.claim(tx, each, now=now, until=now + CLAIM) for each in found]
        return found, [each for each in claims if each is not None]

    def send(self, batch: list[UsageEvent]) -> None:
        batch = self._without_reported(batch)
        if not batch:
            return
        try:
            results = self.meter.send_usage([each.usage for each in batch], self._call_deadline())
        except MarketplaceError as error:
            self._release_batch(batch, error)
            return
        self._unanswered = 0
        for of_tenant in _by_tenant(batch):
            self._isolated(of_tenant, lambda events: self._settle(events, results))

    def _without_reported(self, batch: list[UsageEvent]) -> list[UsageEvent]:
        """The events to send. Late usage is looked up at the meter first, since it may have been reported before.

        Events that cannot be looked up wait.
        """
        late = [each for each in batch if rules.must_check_meter(each)]
        if not late:
            return batch
        until = self.app.now().date()
        try:
            listing = self.meter.usage(min(map(rules.first_day, late)), until, self._call_deadline())
        except MarketplaceError as error:
            self.sent.failed += 1
            get_logger().error("usage_not_listed", reason=error.reason)
            for of_tenant in _by_tenant(late):
                self._isolated(of_tenant, lambda events: self._release(events, rules.NOT_ASKED))
            return [each for each in batch if each not in late]
        taken: list[UsageEvent] = []
        for of_tenant in _by_tenant(late):
            self._isolated(of_tenant, lambda events: taken.extend(self._settle_reported(events, listing, until)))
        return [each for each in batch if each not in taken]

    def _settle_reported(self, events: list[UsageEvent], listing: "UsageList", until: dt.date) -> list[UsageEvent]:
        """Settles those of one tenant's events that the meter lists or cannot take, and returns them."""
        settled = []
        for each in events:
            since, now = rules.first_day(each), self.app.now()
            others, adopted = self._other_usage(each, since, until)
            listed = listing.quantity_of(each.usage, since, until)
            seen = rules.verdict_before_sending(each, listed=listed, others=others, adopted=adopted, now=now)
            if seen is not None:
                self._store([(each, seen)], now)
                settled.append(each)
        return settled

    def _other_usage(self, event: UsageEvent, since: dt.date, until: dt.date) -> tuple[list[UsageEvent], int]:
        """The other events between two days, and the units adopted on these days."""

        def read(tx: sa.Connection) -> tuple[list[UsageEvent], int]:
            return store.other_events(tx, event, since, until), store.adopted_units(tx, event, since, until)

        return self._transact(event.tenant_id, read, reads_only=True)

    def _release_batch(self, batch: list[UsageEvent], error: MarketplaceError) -> None:
        """After a failed call: the batch was refused as a whole, or may have arrived."""
        self.sent.failed += 1
        get_logger().error("usage_batch_failed", reason=error.reason, count=len(batch))
        self._unanswered = self._unanswered + 1 if isinstance(error, MarketplaceUnavailable) else 0
        self._is_over = isinstance(error, MarketplaceUnauthorized) or self._unanswered == _OUTAGE
        for of_tenant in _by_tenant(batch):
            self._isolated(of_tenant, lambda events: self._release(events, error.reason))

    def _isolated(self, events: list[UsageEvent], work: Callable[[list[UsageEvent]], None]) -> None:
        """Keeps one tenant's failure from the others; its claims expire, and the next run retries its events."""
        try:
            work(events)
        except Exception as error:  # noqa: BLE001 - as above
            self.sent.failed += 1
            get_logger().error(
                "job_failed_for_tenant", function="send_usage", tenant=str(events[0].tenant), **exception_fields(error)
            )

    def _release(self, events: list[UsageEvent], word: str) -> None:
        def release(tx: sa.Connection) -> None:
            for each in events:
                store.release(tx, each, word[:_WORD_LENGTH])

        self._transact(events[0].tenant_id, release)
        self.sent.waiting += len(events)

    def _settle(self, events: list[UsageEvent], results: Mapping[UsageKey, UsageResult]) -> None:
        """Clear results come first, since they decide which of the meter's units the other events may be."""
        now = self.app.now()
        verdicts = [(each, rules.verdict(each, results.get(each.usage.key), now)) for each in events]
        doubtful = [(each, found) for each, found in verdicts if self._may_be_lost_event(each, found)]
        verdicts = [each for each in verdicts if each not in doubtful]
        clear = [each for each in verdicts if not rules.may_have_arrived(*each)]
        if clear:
            self._store(clear, now)
        for each, found in verdicts:
            if rules.may_have_arrived(each, found):
                self._store([(each, self._verdict_after_listing(each, found, now))], now)
        for each, _ in doubtful:
            self._store([(each, self._verdict_after_listing(each, rules.verdict_of_lost_event(), now))], now)

    def _may_be_lost_event(self, event: UsageEvent, found: Verdict) -> bool:
        day = event.usage.slot.date()
        if not rules.may_be_lost_event(found, adopted=1):
            return False
        return rules.may_be_lost_event(found, self._other_usage(event, day, day)[1])

    def _store(self, verdicts: list[tuple[UsageEvent, Verdict]], now: dt.datetime) -> None:
        def store_verdicts(tx: sa.Connection) -> list[tuple[UsageEvent, Verdict]]:
            return [(each, verdict) for each, verdict in verdicts if store.settle(tx, each, verdict, now=now)]

        stored = self._transact(verdicts[0][0].tenant_id, store_verdicts)
        for each, verdict in stored:
            self.sent.count(verdict.state)
            if verdict.alarm is not None:
                get_logger().error(verdict.alarm.value, tenant=str(each.tenant), code=verdict.word)

    def _verdict_after_listing(self, event: UsageEvent, found: Verdict, now: dt.datetime) -> Verdict:
        day = event.usage.slot.date()
        try:
            listing = self.meter.usage(day, day, self._call_deadline())
        except MarketplaceError as error:
            self.sent.failed += 1
            get_logger().error("usage_not_listed", reason=error.reason)
            return Verdict(UsageState.PENDING, found.word)  # an alarm only once it is certain that it never arrived
        others, adopted = self._other_usage(event, day, day)
        listed = listing.quantity_of(event.usage, day, day)
        return rules.verdict_after_listing(event, found, listed=listed, others=others, adopted=adopted, now=now)

    def _transact(self, tenant_id: int, work: Callable[[sa.Connection], T], *, reads_only: bool = False) -> T:
        return transact(self.app, tenant_id, work, reads_only=reads_only, retry=self.retry)

    def _call_deadline(self) -> Deadline:
        return self.deadline.at_most(_BATCH_SECONDS)


def _by_tenant(batch: list[UsageEvent]) -> Iterable[list[UsageEvent]]:
    """They are in the order of their tenants."""
    return (list(events) for _, events in itertools.groupby(batch, key=lambda each: each.tenant_id))
