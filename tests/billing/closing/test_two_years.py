"""Two virtual years of six tenants around the world, hour by hour, compared with the bills of an oracle.

The plain run takes the first half year, and 25 days of the job itself, with the end of a month.
"""

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import zip_longest
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from billing.closing import rules, store
from billing.closing.jobs import close_all_ended
from billing.subscriptions.model import Price, Subscription
from shared.db.row_level_security import ALL_TENANTS
from tests.billing.oracle import Bill, Cost, History, PaidPlan, TimerRun, WorkSpan, bills
from tests.support.budget import ALL, tries
from tests.support.paying_tenants import PayingTenant, at
from timers.model import TimeEntry


HOUR, DAY, MS = dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(milliseconds=1)
ZONES = (
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "America/Havana",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Europe/Berlin",
)
PEOPLE = 4
TWO_YEARS = 2 * 365


@dataclass
class Life:
    """A tenant with random actions, recorded in the product and in the oracle's history."""

    payer: PayingTenant
    history: History
    chance: random.Random
    subscription: Subscription | None = None
    entries: list[tuple[TimeEntry, WorkSpan]] = field(default_factory=list)

    @classmethod
    def begin(cls, engine, zone: str, seed: int, since: dt.datetime) -> "Life":
        payer = PayingTenant.create(engine, zone=zone, people=PEOPLE, since=since)
        return cls(payer, History([(since, ZoneInfo(zone))]), random.Random(seed))  # noqa: S311 - the same chances in every run

    def happens(self, now: dt.datetime) -> None:
        kinds = {self._sign_in: 6, self._work: 8, self._correct: 3, self._remove: 2, self._rate: 1, self._pay: 1}
        kinds |= {self._timer: 6, self._move: 1, self._change_plan: 1}
        [kind] = self.chance.choices(list(kinds), list(kinds.values()))
        kind(now)

    def _sign_in(self, now: dt.datetime) -> None:
        user = self.chance.choice(self.payer.people)
        self.payer.sign_in(user, now)
        self.history.sign_ins.append((user, now))

    def _when(self, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
        """Mostly of today, sometimes of weeks ago, and often about midnight."""
        ago = self.chance.choice((0, 0, 0, 1, 10, 45)) * DAY + self.chance.randrange(12 * 3_600_000) * MS
        stop = now - ago
        return stop - self.chance.choice((1, 60_000, 3_600_000, 20 * 3_600_000)) * MS, stop

    def _work(self, now: dt.datetime) -> None:
        user, (start, stop) = self.chance.choice(self.payer.people), self._when(now)
        entry = self.payer.add_time(user, start, stop, now=now)
        self.entries.append((entry, WorkSpan(user, start, stop, now)))
        self.history.work.append(self.entries[-1][1])

    def _correct(self, now: dt.datetime) -> None:
        if self.entries:
            entry, worked = self.entries.pop(self.chance.randrange(len(self.entries)))
            start, stop = self._when(now)
            corrected = self.payer.correct(entry, start, stop, now)
            worked.until = now
            self.entries.append((corrected, WorkSpan(worked.user, start, stop, now)))
            self.history.work.append(self.entries[-1][1])

    def _remove(self, now: dt.datetime) -> None:
        if self.entries:
            entry, worked = self.entries.pop(self.chance.randrange(len(self.entries)))
            self.payer.remove(entry, now)
            worked.until = now

    def _timer(self, now: dt.datetime) -> None:
        """Starts one, or stops or discards the one that runs; forgotten ones end at their limit."""
        user = self.chance.choice(self.payer.people)
        running = next((each for each in self.history.timers if each.user == user and each.until is None), None)
        if running is None:
            if self.subscription is not None:
                self.payer.start_timer(user, now)
                self.history.timers.append(TimerRun(user, now))
            return
        running.until = now
        if self.chance.random() < 0.4:
            self.payer.discard_timer(user, now)
            return
        stop = min(now, running.start + self.history.limit)
        self.payer.stop_timer(user, stop)
        self.history.work.append(WorkSpan(user, running.start, stop, now))

    def _move(self, now: dt.datetime) -> None:
        """Sets another zone, at most once in two months, since only the first and last sign-in of a month are known."""
        since, zone = self.history.zones[-1]
        if now - since > 62 * DAY:
            zone = ZoneInfo(self.chance.choice([each for each in ZONES if each != zone.key]))
            self.payer.set_zone(zone.key, now)
            self.history.zones.append((now, zone))

    def _change_plan(self, now: dt.datetime) -> None:
        """To another plan; its price may be unreadable, and its fee may include users."""
        if self.subscription is not None:
            plans = {"paid", "gold", "team"} - {self.history.paid[-1].rates[-1].plan}
            rate = self.chance.choice((None, self.chance.randrange(10_000_000)))
            self._costs(now, self.chance.choice(sorted(plans)), rate, self.chance.choice((0, 0, 1, 2)))

    def _rate(self, now: dt.datetime) -> None:
        """Another one of the same plan, or the first that could be read."""
        if self.subscription is not None:
            last = self.history.paid[-1].rates[-1]
            self._costs(now, last.plan, self.chance.randrange(10_000_000), last.included)

    def _costs(self, now: dt.datetime, plan: str, rate: int | None, included: int) -> None:
        assert self.subscription is not None
        price = None if rate is None else Price(Decimal(rate).scaleb(-4), "EUR")
        self.payer.set_price(self.subscription, price, now, plan=plan, included=included)
        self.history.paid[-1].rates.append(Cost(now, plan, rate, included))

    def _pay(self, now: dt.datetime) -> None:
        """Purchases or cancels a subscription; half of the cancellations are followed by a purchase at once."""
        if self.subscription is not None:
            self.payer.end_subscription(self.subscription, now)
            self.history.paid[-1].until = now
            self.subscription = None
            if self.chance.random() < 0.5:
                return
            now += MS
        rate, trial = self.chance.randrange(10_000_000), self.chance.choice((None, None, None, now + 30 * DAY))
        price = Price(Decimal(rate).scaleb(-4), "EUR")
        self.subscription = self.payer.subscribe(now, price, free_trial_ends_at=trial)
        self.history.paid.append(PaidPlan(now, [Cost(now, "paid", rate)], free_until=trial and trial + DAY))

    def bills(self) -> list[Bill]:
        """As the database has them, in the order in which they were closed; with the price that came later."""
        found, records = [], sorted(self.payer.records(), key=lambda row: row.id)
        first = {row.id: row for row in records}
        for row in records:
            if row.state == "void":
                continue
            lines = [(line.activity_month, line.user_id) for line in self.payer.lines() if line.record_id == row.id]
            free = row.included_users
            cents = None if row.total is None else int(row.total * 100)
            made = row
            while made.replaces_id is not None:  # it only got its price since
                made = first[made.replaces_id]
            found.append((made.id, (*_when(made), lines, free, cents)))
        return [bill for _, bill in sorted(found)]


def _when(row: Any) -> tuple[int, dt.datetime, dt.datetime, dt.datetime]:  # noqa: ANN401 - a row
    return row.month_key, row.period_from, row.period_to, row.closed_at


def lives(engine, since: dt.datetime, seed: int = 0) -> list[Life]:
    seeds = range(seed * len(ZONES), (seed + 1) * len(ZONES))
    found = [Life.begin(engine, zone, seed, since) for seed, zone in zip(seeds, ZONES, strict=True)]
    for life in found:
        life._pay(since + life.chance.randrange(20 * 24) * HOUR)
    return found


def happenings(lives: Sequence[Life], days: int, each: float) -> Iterator[tuple[dt.datetime, Life]]:
    """The random instants of actions, with their tenants."""
    for life in lives:
        begun = life.history.paid[0].since
        count = int(days / each)
        moments = {begun + DAY + life.chance.randrange((days - 22) * 86_400_000) * MS for _ in range(count)}
        yield from ((moment, life) for moment in moments)


@pytest.mark.parametrize("seed", range(tries(1)))
def test_two_years_of_bills_equal_the_oracles(app, engine, seed):
    since, days = at("2020-01-05"), TWO_YEARS if ALL else 200
    world = lives(engine, since, seed)
    coming = sorted(happenings(world, days, each=4), key=lambda each: each[0], reverse=True)
    runs = [since + number * HOUR + HOUR / 12 for number in range(24 * days)]
    outages = random.Random(7 + seed)  # noqa: S311 - likewise
    runs = [run for run in runs if not (run.day in {30, 31, 1} and run.month % 5 == 0 and outages.random() < 0.97)]
    due = candidates(app, world)
    for run in runs:
        changed = False
        while coming and coming[-1][0] <= run:
            moment, life = coming.pop()
            life.happens(moment)
            changed = True
        due = candidates(app, world) if changed else due
        owing = {each.tenant_id for each in due if rules.is_due(each, run)}
        for life in world:
            if life.payer.tenant_id in owing:
                life.payer.close(run)
        due = candidates(app, world) if owing else due

    for life in world:
        life.payer.close(runs[-1])  # prices that have become known since the last month was closed
        for ours, theirs in zip_longest(life.bills(), bills(life.history, runs)):
            assert ours == theirs, life.history.zones
    assert sum(len(life.bills()) for life in world) > days / 10
    assert any(line[0] != bill[0] for life in world for bill in life.bills() for line in bill[4]), "none came late"


def test_hourly_runs_of_the_job_close_the_oracles_bills(app, engine, clock):
    since, days = at("2020-09-25"), TWO_YEARS if ALL else 25
    world = lives(engine, since)
    coming = sorted(happenings(world, days + 20, each=1), key=lambda each: each[0], reverse=True)
    runs = [at("2020-10-12T00:05") + number * HOUR for number in range(24 * days)]
    for run in runs:
        while coming and coming[-1][0] <= run:
            moment, life = coming.pop()
            life.happens(moment)
        clock.at = run
        close_all_ended(app)

    for life in world:
        for ours, theirs in zip_longest(life.bills(), bills(life.history, runs)):
            assert ours == theirs, life.history.zones
    assert all(life.bills() for life in world)


def candidates(app, world):
    mine = {life.payer.tenant_id for life in world}
    with app.transaction(reads_only=True, tenant=ALL_TENANTS) as tx:
        return [each for each in store.candidates(tx) if each.tenant_id in mine]


@pytest.mark.parametrize("wrong", ["a cent", "a person", "a day"])
def test_the_oracle_detects_a_wrong_bill(app, engine, wrong):  # noqa: ARG001
    life = Life.begin(engine, "UTC", 1, at("2026-01-01"))
    life._pay(at("2026-01-01"))
    life._sign_in(at("2026-01-05"))
    life.payer.close(at("2026-02-01"))
    runs = [at("2026-02-01")]
    right = bills(life.history, runs)
    match wrong:
        case "a cent":
            cost = life.history.paid[0].rates[0]
            life.history.paid[0].rates[0] = replace(cost, rate=(cost.rate or 0) + 100)
        case "a person":
            life.history.sign_ins.clear()
        case "a day":
            life.history.zones = [(at("2026-01-01"), ZoneInfo("Asia/Kolkata"))]

    assert life.bills() == right
    assert life.bills() != bills(life.history, runs)
