"""Accepts a restored database: takes over what happened outside since the backup, step by step, then lets it go on.

Each step may be done again. What fails leaves the database held, with the steps before it done.
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
from ops.app import app_on
from ops.database import opened
from ops.exits import Refused, Unusable
from ops.output import shown
from ops.restore import service as restore_service
from ops.restore import store as restore_store
from privacy.restore import flow as restore_flow
from privacy.restore.flow import Again
from shared.app import App
from shared.calendar import Month
from shared.jobs import JobFailed, for_each_tenant
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
from webhooks.events.reconcile_flow import How, Report, reconcile


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
_ALIVE_FOR: Final = dt.timedelta(minutes=10)  # a database that has acted is taken to be in use
_STAYS: Final = "nothing was changed, and everything stays held"
_LEFT: Final = "everything stays held; put it right, then accept again"


@contextmanager
def opened_restored(environment: Mapping[str, str] = os.environ) -> Iterator[App]:
    """The app on the operator's database, with all that it reaches outside.

    Raises:
        Unusable: the database cannot be used.
        Refused: a rule of the product says no.
    """
    with opened(environment, *_NEEDED) as database, app_on(database) as app:
        yield app


def name_of(app: App) -> str:
    """The database as the operator knows it."""
    url = app.engine.url
    return f"{url.database} on {url.host}" if url.host else str(url.database)


@dataclass(slots=True)
class Accepting:
    """One acceptance; `assigned` gives days of adopted usage a month."""

    app: App
    assigned: Mapping[dt.date, Month]
    other_is_off: bool
    without_store: bool
    _found: Installation = field(init=False)
    _outside: StoredMark | None = field(init=False, default=None)
    _changes: list[PrivacyChange] = field(init=False, default_factory=list)

    def plan(self) -> list[tuple[str, str]]:
        """What each step finds; nothing is changed.

        Raises:
            Refused, Unusable: it cannot be accepted now.
        """
        self._found = flow.read_installation(self.app)
        self._require_begun()
        self._ask_outside()
        lost = f"{shown(self._found.moved_at)} to {shown(self._lost_until)} UTC"
        erased = sum(1 for each in self._changes if each.kind is PrivacyChangeKind.ERASURE)
        with self._asking(_STAYS):
            return [
                ("1 other database", self._other()),
                ("2 subscriptions", _compared(self._reconciled(dry_run=True))),
                ("3 meter", _adopted(self._adoption(dry_run=True))),
                ("4 erasures and rights", f"{erased} erasures and {len(self._changes) - erased} changes of rights"),
                ("5 Completed Work", "each work item is looked through before the next write to it"),
                ("6 notices", f"everybody is told to look at what they did from {lost}"),
                ("7 end", f"epoch {self._epoch}"),
            ]

    def carry_out(self, tell: Callable[[str], None]) -> dict[str, Any]:
        """Does each step and tells of it; then the database is held no more.

        Raises:
            Refused, Unusable: a step failed, and everything stays held.
        """
        with self._asking(_LEFT):
            report = self._reconciled(dry_run=False)
            tell(f"Subscriptions: {_compared(report)}")
            if not report.is_whole:
                raise Refused(f"not every purchase could be compared; {_LEFT}")
            adoption = self._adoption(dry_run=False)
            tell(f"Meter: {_adopted(adoption)}")
        again, rights = self._erased_again()
        tell(f"Erasures: {_told(again)}. Rights: {rights} changed.")
        noticed = self._noticed()
        tell(f"Notices: {noticed} tenants.")
        self._end()
        return {
            "subscriptions": {"compared": report.compared, "changed": report.changed, "waiting": report.waiting},
            "adopted": sum(day.quantity for each in adoption.tenants for day in each.adopted),
            "erasures": {each.value: count for each, count in again.items()},
            "rights": rights,
            "tenantsNotified": noticed,
            "epoch": self._epoch,
        }

    @property
    def _lost_until(self) -> dt.datetime:
        """Up to when the other database was in use, as far as anybody knows."""
        seen = None if self._outside is None else self._outside.seen_at
        held = self._found.held_since or self.app.now()
        return held if seen is None else seen

    @property
    def _epoch(self) -> int:
        """Later than any that is known, so that every other database is behind."""
        return max(self._found.mark.epoch, 0 if self._outside is None else self._outside.mark.epoch) + 1

    def _require_begun(self) -> None:
        reason = self._found.held_reason
        if reason is HeldReason.BEHIND:
            raise Refused(
                f"nobody has begun: the database is behind the mark outside, and stays held. If it is to be the one in "
                f"use: python -m ops restore begin. {_STAYS.capitalize()}"
            )
        if reason is not HeldReason.BEGUN:
            raise Refused("nothing is held, so there is nothing to accept; nothing was changed")

    def _ask_outside(self) -> None:
        """Raises Unusable when the store cannot be asked, unless the operator goes on without it."""
        if self.without_store:
            return
        client = mark_client_of(self.app)
        if not client.is_on:
            raise Unusable(
                "ACTION_LOG_TABLE_ENDPOINT is not set, so nobody knows what the store outside has; set it as the app "
                f"has it, or, where there is none, give --without-store; {_STAYS}"
            )
        try:
            self._outside = client.call(lambda there: there.read(self._found.public_id))
            self._changes = client.call(lambda there: there.list_changes(self._found.public_id))
        except MarkTableUnavailable:
            raise Unusable(
                f"the store outside cannot be reached; try again, or give --without-store; {_STAYS}"
            ) from None

    def _other(self) -> str:
        """Raises Refused while another database of this installation seems to be in use."""
        outside = self._outside
        if outside is None or outside.mark <= self._found.mark:
            return "no other database has acted since"
        if self.app.now() - outside.seen_at < _ALIVE_FOR and not self.other_is_off:
            raise Refused(
                f"another database of this installation acted at {shown(outside.seen_at)} UTC: to accept this one "
                "would stop it. If this is a drill, end here. If the other one is off for good, wait ten minutes, or "
                f"give --other-is-off; {_STAYS}"
            )
        return f"the other one acted until {shown(outside.seen_at)} UTC, and is held from now on"

    @contextmanager
    def _asking(self, left: str) -> Iterator[None]:
        try:
            yield
        except MarketplaceError as error:
            raise Unusable(f"the Marketplace cannot be asked: {error.reason}; {left}") from error
        except NotAdopted as error:
            raise Refused(f"{error}; {left}") from error

    def _reconciled(self, *, dry_run: bool) -> Report:
        client = marketplace.of(self.app)
        if client is not None:
            return reconcile(self.app, client, How(EventSource.OPERATOR, OPERATOR, dry_run=dry_run))
        with self.app.transaction(reads_only=True) as tx:
            if restore_store.has_purchases(tx):
                raise Unusable(f"the Marketplace is off; set the settings MARKETPLACE_… as the app has them; {_STAYS}")
        return Report()

    def _adoption(self, *, dry_run: bool) -> Adoption:
        return adopt_listed(self.app, assigned=self.assigned, dry_run=dry_run)

    def _erased_again(self) -> tuple[Mapping[Again, int], int]:
        listed = [(each.tenant, each.subject) for each in self._changes if each.kind is PrivacyChangeKind.ERASURE]
        again = restore_flow.erase_again(self.app, listed)
        since: list[PrivacyChange] = []
        after = 0
        while True:
            with self.app.transaction(reads_only=True) as tx:
                some = store.list_pending_changes(tx, after=after)
            if not some:
                break
            since += [change for _, change in some]
            after = some[-1][0]
        return again, restore_flow.apply_rights(self.app, self._changes, since=since)

    def _noticed(self) -> int:
        app, found, lost_until, now = self.app, self._found, self._lost_until, self.app.now()
        with app.transaction(reads_only=True) as tx:
            tenants = restore_service.tenant_ids(tx)

        def work(tx: sa.Connection, tenant_id: int) -> int:
            return restore_service.record_restore(tx, tenant_id, found, lost_until, now=now, new_id=app.new_id)

        try:
            return for_each_tenant(app, "restore", tenants, work).changed
        except JobFailed as failed:
            raise Unusable(f"not every tenant could be notified: {failed}; {_LEFT}") from failed

    def _end(self) -> None:
        """Tells the store outside first: from then on every other database is behind, whatever happens here."""
        now, ended = self.app.now(), Mark(self._epoch, self._found.mark.number)
        if not self.without_store:
            try:
                client = mark_client_of(self.app)
                client.call(lambda there: there.raise_to(self._found.public_id, ended, now=now))
            except MarkTableUnavailable:
                raise Unusable(f"the store outside cannot be reached; {_LEFT}") from None
        with self.app.transaction() as tx:
            if not store.accept(tx, ended.epoch, restored_to=self._found.moved_at, now=now):
                raise Refused("somebody else has accepted it meanwhile")


def _compared(report: Report) -> str:
    return (
        f"{report.compared} compared, {len(report.changed)} differ, {len(report.waiting)} not set up, "
        f"{len(report.missing)} not listed, {len(report.failed) + len(report.unreadable)} failed"
    )


def _adopted(adoption: Adoption) -> str:
    """With each bill of which the meter has more users, and each day that fits no month."""
    units = sum(day.quantity for each in adoption.tenants for day in each.adopted)
    settled = sum(len(each.settled) for each in adoption.tenants)
    lines = [f"{units} users that the meter has are adopted, {settled} events had arrived"]
    for each in adoption.tenants:
        lines += [
            f"{each.slug}: the meter has {over.sent} users of {over.month}, the bill {over.billed}"
            for over in each.over
        ]
        lines += [
            f"{each.slug}: {day.quantity} of {day.day} fit no month; --assign {day.day}=YYYY-MM"
            for day in each.unassigned
        ]
    return "; ".join(lines)


def _told(again: Mapping[Again, int]) -> str:
    return ", ".join(f"{count} {each.value}" for each, count in sorted(again.items())) or "none"
