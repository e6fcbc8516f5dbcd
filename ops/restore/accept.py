"""Accepts a restored database: applies the outside changes since the backup, step by step, then ends the hold.

Each step can be repeated. After a failure the database stays held; the steps before it are done.
"""

import datetime as dt
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from billing import marketplace
from billing.adoption.flow import adopt_listed
from billing.adoption.rules import Adoption, NotAdopted
from billing.marketplace.errors import MarketplaceError
from billing.subscriptions.model import EventSource
from ops.app import open_app
from ops.database import open_database
from ops.errors import CommandRejected, ServiceUnavailable, WrongUsage
from ops.output import format_value
from ops.restore import service as restore_service
from ops.restore import store as restore_store
from privacy.restore import flow as restore_flow
from privacy.restore.flow import RepeatResult
from shared.app import App
from shared.calendar import Month
from shared.jobs import JobFailed, for_each_tenant, job_work
from shared.restore import flow, store
from shared.restore.mark_client import of as mark_client_of
from shared.restore.model import (
    HeldReason,
    Installation,
    Mark,
    MarkTableUnavailable,
    PrivacyChange,
    PrivacyChangeKind,
    StoredMark,
)
from shared.work import OPERATOR
from webhooks.events.reconcile_flow import ReconcileOptions, ReconcileReport, reconcile


_NEEDED: Final = (
    "ENTRA_AUTHORITY",
    "ACTION_LOG_TABLE_ENDPOINT",
    "MARKETPLACE_API_URL",
    "MARKETPLACE_TENANT_ID",
    "MARKETPLACE_CLIENT_ID",
    "MARKETPLACE_CLIENT_SECRET",
    "MARKETPLACE_METERING_DIMENSION",
    "MARKETPLACE_OFFERS",
)
_IN_USE_FOR: Final = dt.timedelta(minutes=10)  # a database counts as in use for this time after its last action
_UNCHANGED: Final = "nothing was changed; the database stays held"
_STILL_HELD: Final = "the database stays held; solve the problem, then repeat the command"


@contextmanager
def open_restored_app(environment: Mapping[str, str] = os.environ) -> Iterator[App]:
    """The app on the operator's database, with its outside services.

    Raises:
        ServiceUnavailable: the database cannot be used.
        CommandRejected: a rule of the product rejected the command.
    """
    with open_database(environment, *_NEEDED) as database, open_app(database) as app:
        yield app


def database_name(app: App) -> str:
    """The database's name and host."""
    url = app.engine.url
    return f"{url.database} on {url.host}" if url.host else str(url.database)


@dataclass(slots=True)
class Acceptance:
    """One acceptance; `assigned` maps days of adopted usage to months (yyyymm)."""

    app: App
    assigned: Mapping[dt.date, Month]
    other_is_off: bool
    without_store: bool
    _found: Installation = field(init=False)
    _outside: StoredMark | None = field(init=False, default=None)
    _changes: list[PrivacyChange] = field(init=False, default_factory=list)

    def plan(self) -> list[tuple[str, str]]:
        """The findings of each step; nothing is changed.

        Raises:
            CommandError: it cannot be accepted now.
        """
        self._found = flow.read_installation(self.app)
        self._require_begun()
        self._read_store()
        lost = f"{format_value(self._found.moved_at)} to {format_value(self._lost_until)} UTC"
        erased = sum(1 for each in self._changes if each.kind is PrivacyChangeKind.ERASURE)
        with self._report_errors(_UNCHANGED):
            return [
                ("1 other database", self._check_other_database()),
                ("2 subscriptions", _format_report(self._reconcile(dry_run=True))),
                ("3 meter", _format_adoption(self._adopt(dry_run=True))),
                ("4 erasures and rights", f"{erased} erasures and {len(self._changes) - erased} changes of rights"),
                ("5 Completed Work", "each work item is checked before the next write to it"),
                ("6 notices", f"all users are asked to check their time from {lost}"),
                ("7 end", f"epoch {self._epoch}"),
            ]

    def run(self, report_step: Callable[[str], None]) -> dict[str, Any]:
        """Carries out and reports each step, then ends the hold.

        Raises:
            CommandError: a step failed; the database stays held.
        """
        with self._report_errors(_STILL_HELD):
            report = self._reconcile(dry_run=False)
            report_step(f"Subscriptions: {_format_report(report)}")
            if not report.is_whole:
                raise CommandRejected(f"not all purchases could be compared; {_STILL_HELD}")
            adoption = self._adopt(dry_run=False)
            report_step(f"Meter: {_format_adoption(adoption)}")
        erasures, rights = self._erase_again()
        report_step(f"Erasures: {_format_erasures(erasures)}. Rights: {rights} changed.")
        notified = self._notify_tenants()
        report_step(f"Notices: {notified} tenants.")
        self._end_hold()
        return {
            "subscriptions": {"compared": report.compared, "changed": report.changed, "waiting": report.waiting},
            "adopted": sum(day.quantity for each in adoption.tenants for day in each.adopted),
            "erasures": {each.value: count for each, count in erasures.items()},
            "rights": rights,
            "tenantsNotified": notified,
            "epoch": self._epoch,
        }

    @property
    def _lost_until(self) -> dt.datetime:
        """The last known use of the other database."""
        seen = None if self._outside is None else self._outside.seen_at
        held = self._found.held_since or self.app.now()
        return held if seen is None else seen

    @property
    def _epoch(self) -> int:
        """Later than any known epoch, so that every other database is behind."""
        return max(self._found.mark.epoch, 0 if self._outside is None else self._outside.mark.epoch) + 1

    def _require_begun(self) -> None:
        reason = self._found.held_reason
        if reason is HeldReason.BEHIND:
            raise CommandRejected(
                f"the database is behind the mark of the restore store. If this database is to be used, run "
                f"ops restore begin first; {_UNCHANGED}"
            )
        if reason is not HeldReason.BEGUN:
            raise CommandRejected("the database is not held, so there is nothing to accept; nothing was changed")

    def _read_store(self) -> None:
        """Reads the mark and the changes in the restore store, unless --without-store is given."""
        if self.without_store:
            return
        client = mark_client_of(self.app)
        if not client.is_on:
            raise WrongUsage(
                "ACTION_LOG_TABLE_ENDPOINT, the restore store, is not set; set it as in the app; if the app has none, "
                f"add --without-store; {_UNCHANGED}"
            )
        try:
            self._outside = client.call(lambda there: there.read(self._found.public_id))
            self._changes = client.call(lambda there: there.list_changes(self._found.public_id))
        except MarkTableUnavailable:
            raise ServiceUnavailable(
                f"the restore store cannot be reached; try again, or add --without-store; {_UNCHANGED}"
            ) from None

    def _check_other_database(self) -> str:
        """Raises CommandRejected while another database of this installation is probably in use."""
        outside = self._outside
        if outside is None or outside.mark <= self._found.mark:
            return "no other database was used since"
        if self.app.now() - outside.seen_at < _IN_USE_FOR and not self.other_is_off:
            raise CommandRejected(
                f"another database of this installation was used at {format_value(outside.seen_at)} UTC; accepting "
                "this one would stop it. In a drill, end here. If the other one is off for good, wait ten minutes, or "
                f"add --other-is-off; {_UNCHANGED}"
            )
        return f"the other one was used until {format_value(outside.seen_at)} UTC, and is held from now on"

    @contextmanager
    def _report_errors(self, consequence: str) -> Iterator[None]:
        try:
            yield
        except MarketplaceError as error:
            raise ServiceUnavailable(f"the Marketplace is unavailable: {error.reason}; {consequence}") from error
        except NotAdopted as error:
            raise CommandRejected(f"{error}; {consequence}") from error

    def _reconcile(self, *, dry_run: bool) -> ReconcileReport:
        client = marketplace.of(self.app)
        if client is not None:
            return reconcile(self.app, client, ReconcileOptions(EventSource.OPERATOR, OPERATOR, dry_run=dry_run))
        with self.app.transaction(reads_only=True) as tx:
            if restore_store.has_purchases(tx):
                raise WrongUsage(
                    "the Marketplace is off; set MARKETPLACE_TENANT_ID, _CLIENT_ID and _CLIENT_SECRET as in the app; "
                    f"{_UNCHANGED}"
                )
        return ReconcileReport()

    def _adopt(self, *, dry_run: bool) -> Adoption:
        return adopt_listed(self.app, assigned=self.assigned, dry_run=dry_run)

    def _erase_again(self) -> tuple[Mapping[RepeatResult, int], int]:
        subjects = [(each.tenant, each.subject) for each in self._changes if each.kind is PrivacyChangeKind.ERASURE]
        erasures = restore_flow.repeat_erasures(self.app, subjects)
        since: list[PrivacyChange] = []
        after = 0
        while True:
            with self.app.transaction(reads_only=True) as tx:
                some = store.list_pending_changes(tx, after=after)
            if not some:
                break
            since += [change for _, change in some]
            after = some[-1][0]
        return erasures, restore_flow.apply_rights(self.app, self._changes, since=since)

    def _notify_tenants(self) -> int:
        app, found, lost_until, now = self.app, self._found, self._lost_until, self.app.now()
        with app.transaction(reads_only=True) as tx:
            tenants = restore_service.tenant_ids(tx)

        def work(tx: sa.Connection, tenant_id: int) -> int:
            operator = job_work(app, tx, tenant_id, now, actor=OPERATOR)
            return restore_service.record_restore(operator, found, lost_until)

        try:
            return for_each_tenant(app, "restore", tenants, work).changed
        except JobFailed as failed:
            raise ServiceUnavailable(f"not all tenants could be notified: {failed}; {_STILL_HELD}") from failed

    def _end_hold(self) -> None:
        """Writes to the restore store first: from then on every other database is behind, even if this one fails."""
        now, ended = self.app.now(), Mark(self._epoch, self._found.mark.number)
        if not self.without_store:
            try:
                client = mark_client_of(self.app)
                client.call(lambda there: there.raise_to(self._found.public_id, ended, now=now))
            except MarkTableUnavailable:
                raise ServiceUnavailable(f"the restore store cannot be reached; {_STILL_HELD}") from None
        with self.app.transaction() as tx:
            if not store.accept(tx, ended.epoch, restored_to=self._found.moved_at, now=now):
                raise CommandRejected("it was accepted concurrently")


def _format_report(report: ReconcileReport) -> str:
    return (
        f"{report.compared} compared, {len(report.changed)} different, {len(report.waiting)} not set up, "
        f"{len(report.missing)} not listed, {len(report.failed) + len(report.unreadable)} failed"
    )


def _format_adoption(adoption: Adoption) -> str:
    """The adopted usage, bills with more reported users than billed, and days without a month."""
    units = sum(day.quantity for each in adoption.tenants for day in each.adopted)
    settled = sum(len(each.settled) for each in adoption.tenants)
    lines = [f"{units} users reported before are adopted, {settled} events were accepted before"]
    for each in adoption.tenants:
        lines += [
            f"{each.slug}: {over.sent} users are reported for {over.month}, {over.billed} are billed"
            for over in each.overreported
        ]
        lines += [
            f"{each.slug}: {day.quantity} of {day.day} belong to no month; --assign {day.day}=YYYY-MM"
            for day in each.unassigned
        ]
    return "; ".join(lines)


def _format_erasures(erasures: Mapping[RepeatResult, int]) -> str:
    return ", ".join(f"{count} {each.value}" for each, count in sorted(erasures.items())) or "none"
