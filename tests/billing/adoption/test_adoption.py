"""After a restore, the meter's usage of the lost time is neither sent again nor charged twice."""

import datetime as dt
import json
import logging
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.adoption import service as adoption_service
from billing.adoption.flow import adopt_listed
from billing.adoption.rules import Difference, Listed, NotAdopted, difference, listed_by_subscription
from billing.closing import rules
from billing.closing.model import Kind, Period
from billing.closing.record_store import record_of
from billing.marketplace.errors import MarketplaceUnavailable
from billing.marketplace.usage_model import Usage, UsageDay
from billing.metering import reconcile_flow
from billing.metering.jobs import send_all
from billing.metering.model import UsageEvent, UsageState
from billing.metering.rules import unreported
from shared.app import App
from shared.calendar import Month
from shared.db.engine import make_engine
from shared.db.schema import adopted_usage, subscriptions, usage_events
from tests.billing.conftest import metered_settings
from tests.support.budget import tries
from tests.support.database_copies import database_copier
from tests.support.marketplace import Marketplace
from tests.support.paying_tenants import PayingTenant, at


OCTOBER = Month(2026, 10)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@dataclass(frozen=True)
class Timeline:
    """A database with its app and its one paying tenant; all databases share the Marketplace."""

    app: App
    payer: PayingTenant
    marketplace: Marketplace
    clock: Callable[[], dt.datetime]

    def close(self) -> None:
        self.payer.close(self.clock())

    def send(self) -> None:
        send_all(self.app)

    def sign_in(self, count: int, when: dt.datetime) -> None:
        for user in self.payer.people[:count]:
            self.payer.sign_in(user, when)

    def events(self) -> list[tuple[int, str]]:
        return [(event.quantity, event.state) for event in self.payer.usage()]

    def adopted(self) -> list[tuple[dt.date, int, int | None]]:
        with self.payer.engine.connect() as connection:
            rows = connection.execute(sa.select(adopted_usage).order_by(adopted_usage.c.day)).all()
        return [(row.day, row.quantity, row.month_key) for row in rows]

    def on_meter(self) -> list[float]:
        usage, mine = self.marketplace.stats()["usage"], str(self.subscription())
        return [each["quantity"] for each in usage if each["resource_id"] == mine]

    def subscription(self) -> uuid.UUID:
        with self.payer.engine.connect() as connection:
            found: uuid.UUID = connection.scalars(sa.select(subscriptions.c.marketplace_id)).one()
        return found

    def reports(self, quantity: float, hour: dt.datetime, dimension: str = "active_user") -> None:
        """Reports usage to the meter without the product."""
        event = {"resourceId": str(self.subscription()), "quantity": quantity, "dimension": dimension}
        event |= {"planId": "paid", "effectiveStartTime": hour.isoformat()}
        assert self.marketplace.send("POST", "usageEvent", event).status_code == 200


@pytest.fixture
def copy(tmp_path):
    with database_copier(tmp_path) as copy:
        yield copy


@pytest.fixture(scope="module")
def empty(another_database):
    engine = make_engine(another_database("adoption"))
    yield engine
    engine.dispose()


@pytest.fixture
def on(app, request, marketplace) -> Iterator[Callable[[sa.Engine], App]]:
    """Returns a function that makes a metered app on a database."""
    made: list[App] = []
    settings = request.getfixturevalue("settings")

    def on(engine: sa.Engine) -> App:
        made.append(replace(app, settings=metered_settings(settings, marketplace.api_url), engine=engine))
        return made[-1]

    yield on
    for each in made:
        each.close()


@pytest.fixture
def begin(empty, copy, on, marketplace, clock) -> Callable[[], Timeline]:
    """Begins a timeline on October 20 with a subscription since October 15."""

    def begin() -> Timeline:
        clock.set("2026-10-15T12:00:00Z")
        bought = uuid.UUID(marketplace.buy(active=True))
        engine = copy(empty)
        payer = PayingTenant.create(engine, people=4, since=clock())
        payer.subscribe(clock(), marketplace=bought)
        clock.set("2026-10-20T12:00:00Z")
        return Timeline(on(engine), payer, marketplace, clock)

    return begin


@pytest.fixture
def timeline(begin):
    return begin()


@pytest.fixture
def branch(copy, on):
    """A restored backup of a timeline."""

    def branch(timeline: Timeline) -> Timeline:
        engine = copy(timeline.payer.engine)
        return replace(timeline, app=on(engine), payer=replace(timeline.payer, engine=engine))

    return branch


@pytest.fixture
def log_lines(caplog):
    caplog.set_level(logging.INFO, "timetracker")

    def lines_of(event: str) -> list[dict[str, object]]:
        lines = [json.loads(record.message) for record in caplog.records if record.name == "timetracker"]
        return [line for line in lines if line["event"] == event]

    return lines_of


def test_a_month_closed_again_after_a_restore_is_reported_once(timeline, branch, clock):
    """Both closes are more than 23 hours late, so each uses its present hour."""
    timeline.sign_in(3, clock())
    restored = branch(timeline)
    clock.set("2026-11-03T16:20:00Z")
    timeline.close()
    timeline.send()
    assert timeline.on_meter() == [3]
    clock.set("2026-11-04T17:20:00Z")
    restored.close()
    restored.send()

    assert restored.on_meter() == [3]
    assert restored.events() == [(3, "accepted")]


def test_usage_reported_after_the_backup_is_looked_up_until_now(timeline, branch, clock):
    """The free hour of the second close is on an earlier day than the reported one."""
    timeline.sign_in(3, clock())
    restored = branch(timeline)
    clock.set("2026-11-05T00:10:00Z")
    timeline.close()
    timeline.send()
    clock.set("2026-11-04T23:50:00Z")
    restored.close()
    clock.set("2026-11-05T00:20:00Z")
    restored.send()

    assert restored.on_meter() == [3]
    assert restored.events() == [(3, "accepted")]


def test_the_bill_of_a_month_reported_before_reports_only_the_rest(timeline, branch, clock):
    timeline.sign_in(2, clock())
    restored = branch(timeline)
    clock.set("2026-11-01T00:05:00Z")
    timeline.close()
    timeline.send()
    restored.sign_in(4, at("2026-10-21"))
    clock.set("2026-11-03T09:00:00Z")
    found = adopt_listed(restored.app)
    restored.close()
    restored.send()

    [tenant] = found.tenants
    assert [(each.day, each.quantity, each.month) for each in tenant.adopted] == [(dt.date(2026, 10, 31), 2, OCTOBER)]
    assert restored.events() == [(2, "accepted")]
    assert sum(restored.on_meter()) == 4
    clock.tick(days=3)
    assert reconcile_flow.reconcile(restored.app) == []


def test_a_bill_of_fewer_users_than_reported_reports_nothing_and_is_an_alarm(timeline, branch, clock, log_lines):
    restored = branch(timeline)
    timeline.sign_in(3, clock())
    clock.set("2026-11-01T00:05:00Z")
    timeline.close()
    timeline.send()
    restored.sign_in(1, at("2026-10-21"))
    clock.set("2026-11-03T09:00:00Z")
    adopt_listed(restored.app)
    restored.close()
    restored.send()
    [line] = log_lines("usage_more_than_billed")

    assert (line["sent"], line["billed"]) == (3, 1)
    assert (restored.events(), restored.on_meter()) == ([], [3])


def test_a_pending_event_listed_by_the_meter_is_accepted(timeline, branch, clock):
    """The backup has the bill, and its event as not sent."""
    timeline.sign_in(3, clock())
    clock.set("2026-11-01T00:05:00Z")
    timeline.close()
    restored = branch(timeline)
    timeline.send()
    clock.set("2026-11-03T09:00:00Z")
    found = adopt_listed(restored.app)

    assert [each.usage.quantity for each in found.tenants[0].settled] == [3]
    assert (restored.events(), restored.adopted()) == ([(3, "accepted")], [])
    restored.send()
    assert restored.on_meter() == [3]


def test_a_bill_replaced_before_and_after_the_restore_is_charged_once(timeline, branch, clock):
    timeline.sign_in(2, clock())
    clock.set("2026-11-01T00:05:00Z")
    timeline.close()
    timeline.send()
    restored = branch(timeline)
    for each in (timeline, restored):
        each.payer.add_time(each.payer.people[2], at("2026-10-21"), at("2026-10-21T01:00"), now=clock())
    clock.set("2026-11-10T10:00:00Z")
    replace_bill(timeline.payer, clock())
    timeline.send()
    assert sorted(timeline.on_meter()) == [1, 2]
    clock.set("2026-11-12T10:00:00Z")
    adopt_listed(restored.app)
    replace_bill(restored.payer, clock())
    restored.send()

    assert restored.adopted() == [(dt.date(2026, 11, 10), 1, 202610)]
    assert sorted(restored.on_meter()) == [1, 2]


def replace_bill(payer: PayingTenant, now: dt.datetime) -> None:
    closed = next(row for row in payer.records() if row.state == "closed")
    payer.void(record_of(closed), now, is_replaced=True)


def test_usage_beyond_adopted_usage_of_the_last_hour_is_reported_for_another(timeline, branch, clock):
    """Its hour has the same quantity, so the new event would look like a duplicate."""
    timeline.sign_in(1, clock())
    restored = branch(timeline)
    clock.set("2026-11-01T00:05:00Z")
    timeline.close()
    timeline.send()
    restored.sign_in(2, at("2026-10-21"))
    clock.set("2026-11-01T03:35:00Z")
    adopt_listed(restored.app)
    restored.close()
    restored.send()

    assert restored.on_meter() == [1, 1]
    assert [event.slot for event in restored.payer.usage()] == [at("2026-11-01T03:00")]


def test_the_hour_of_a_lost_event_is_not_used_again(timeline, branch, clock, log_lines):
    """The last hour of a subscription that ended: there is no later one."""
    subscription = timeline.payer.live_subscription()
    restored = branch(timeline)
    for each, users in ((timeline, 1), (restored, 2)):
        each.sign_in(users, clock() - HOUR)
    timeline.payer.end_subscription(subscription, clock(), now=clock())
    timeline.send()
    clock.tick(minutes=30)
    adopt_listed(restored.app)
    restored.payer.end_subscription(subscription, clock() - HOUR / 2, now=clock())
    restored.send()
    [line] = log_lines("usage_refused")

    assert restored.on_meter() == [1]
    assert (line["code"], restored.events()) == ("HourTaken", [(1, "alarm")])


def test_adopting_again_changes_nothing(timeline, branch, clock):
    timeline.sign_in(2, clock())
    restored = branch(timeline)
    clock.set("2026-11-01T00:05:00Z")
    timeline.close()
    timeline.send()
    clock.set("2026-11-03T09:00:00Z")
    planned = adopt_listed(restored.app, dry_run=True)
    before = restored.adopted(), restored.payer.audit("usage.adopted")
    first = adopt_listed(restored.app)
    after = restored.adopted()
    second = adopt_listed(restored.app)

    assert planned == first
    assert before == ([], [])
    assert second.tenants == ()
    assert restored.adopted() == after == [(dt.date(2026, 10, 31), 2, 202610)]
    [row] = restored.payer.audit("usage.adopted")
    assert row.after_change == {"day": "2026-10-31", "month": "2026-10", "plan": "paid", "quantity": 2}


def test_more_usage_of_a_day_can_be_adopted_later(timeline, branch, clock):
    """Two restores: the second one adopts the usage after the first one."""
    first = branch(timeline)
    clock.set("2026-11-03T08:30:00Z")
    timeline.reports(2, clock())
    adopt_listed(first.app)
    clock.set("2026-11-03T09:30:00Z")
    timeline.reports(1, clock())
    adopt_listed(first.app)

    assert first.adopted() == [(dt.date(2026, 11, 3), 3, 202610)]


def test_an_unavailable_meter_changes_nothing(timeline, clock):
    clock.set("2026-11-03T09:00:00Z")
    timeline.reports(2, clock())
    timeline.marketplace.execute("faults", usage_list={"status": 503, "headers": {"Retry-After": "0"}})
    with pytest.raises(MarketplaceUnavailable):
        adopt_listed(timeline.app)

    assert timeline.adopted() == []


def test_nothing_is_adopted_while_usage_is_being_sent(timeline, clock):
    timeline.sign_in(3, clock())
    clock.set("2026-11-01T00:05:00Z")
    timeline.close()
    timeline.reports(2, clock())
    with timeline.payer.engine.begin() as tx:
        tx.execute(usage_events.update().values(claimed_until=clock() + HOUR))
    with pytest.raises(NotAdopted, match="is being sent right now"):
        adopt_listed(timeline.app)

    assert (timeline.adopted(), timeline.events()) == ([], [(3, "pending")])


def test_usage_of_no_period_is_shown_and_can_be_assigned_to_a_month(timeline, clock):
    timeline.reports(2, clock())
    planned = adopt_listed(timeline.app, dry_run=True)
    with pytest.raises(NotAdopted, match="had no paid subscription in 2026-09"):
        adopt_listed(timeline.app, assigned={clock().date(): OCTOBER.previous})
    found = adopt_listed(timeline.app, assigned={clock().date(): OCTOBER})
    timeline.sign_in(3, clock())
    clock.set("2026-11-01T00:05:00Z")
    timeline.close()

    assert [each.quantity for each in planned.tenants[0].unassigned] == [2]
    assert found.tenants[0].unassigned == ()
    assert timeline.events() == [(1, "pending")]


def test_usage_of_no_period_can_be_assigned_later_once(timeline, clock):
    timeline.reports(2, clock())
    adopt_listed(timeline.app)

    def assign(month: Month) -> None:
        with timeline.payer.engine.begin() as tx:
            adoption_service.assign(timeline.payer.work(tx, clock()), clock().date(), month)

    with pytest.raises(NotAdopted, match="2026-12"):
        assign(Month(2026, 12))
    assign(OCTOBER)
    with pytest.raises(NotAdopted, match="no adopted usage"):
        assign(OCTOBER)

    assert timeline.adopted() == [(clock().date(), 2, 202610)]


def test_usage_of_no_period_counts_for_an_end_received_later(timeline, clock):
    """The subscription ended after the backup, and its last usage was reported before we receive the end."""
    subscription = timeline.payer.live_subscription()
    timeline.sign_in(3, clock())
    timeline.reports(3, clock())
    adopt_listed(timeline.app)
    timeline.payer.end_subscription(subscription, clock() - HOUR, now=clock())

    assert timeline.adopted() == [(clock().date(), 3, 202610)]
    assert timeline.events() == []


def test_a_fraction_of_a_user_is_not_adopted_and_is_an_alarm(timeline, clock, log_lines):
    timeline.reports(2.5, clock())
    found = adopt_listed(timeline.app)

    assert found.tenants[0].fractional == (("active_user", clock().date()),)
    assert timeline.adopted() == [(clock().date(), 2, None)]
    assert [line["reason"] for line in log_lines("usage_mismatch")] == ["no_whole_number"]


def test_nothing_is_adopted_without_metering(timeline, app):
    timeline.reports(2, timeline.clock())

    assert adopt_listed(app).tenants == ()


LATE = st.sampled_from([dt.timedelta(minutes=5), 3 * HOUR, 22 * HOUR, 30 * HOUR, 9 * DAY])
NOVEMBER = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


@settings(max_examples=tries(6), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    users=st.integers(0, 4),
    backup=st.sampled_from(["before the bill", "before it is sent", "after it is sent"]),
    closed=LATE,
    added=st.integers(0, 2),
    restored=st.sampled_from([2 * HOUR, 26 * HOUR, 12 * DAY]),
    known=st.integers(0, 2),
)
def test_after_any_restore_a_month_costs_its_larger_bill(  # noqa: PLR0917 - a history
    begin, branch, clock, users, backup, closed, added, restored, known
):
    """The lost time has a bill, its report and a replacement with more people; then the month is closed again."""
    live = begin()
    live.sign_in(users, clock())
    clock.at = NOVEMBER + closed
    copy = branch(live) if backup == "before the bill" else None
    live.close()
    copy = branch(live) if backup == "before it is sent" else copy
    live.send()
    copy = branch(live) if backup == "after it is sent" else copy
    assert copy is not None
    clock.tick(minutes=90)
    add_people(live, added)
    live.send()
    lost = sum(live.on_meter())
    clock.at = clock() + restored
    planned = adopt_listed(copy.app, dry_run=True)
    assert adopt_listed(copy.app) == planned
    copy.close()
    copy.send()
    add_people(copy, known)
    copy.send()
    bill = next(row for row in copy.payer.records() if row.state == "closed")
    events = sum(quantity for quantity, state in copy.events() if state == "accepted")

    assert sum(copy.on_meter()) == max(lost, bill.active_users)
    assert events + sum(quantity for _, quantity, _ in copy.adopted()) == sum(copy.on_meter())
    assert {state for _, state in copy.events()} <= {"accepted"}
    assert adopt_listed(copy.app).tenants == ()
    clock.tick(days=3)
    mine = copy.subscription()
    assert [each for each in reconcile_flow.reconcile(copy.app) if each.subscription_id == mine] == []


def add_people(timeline: Timeline, count: int) -> None:
    """Adds people with work in October, and replaces the bill."""
    if not count:
        return
    for _ in range(count):
        timeline.payer.add_time(timeline.payer.add_person(at("2026-10-20")), at("2026-10-21"), at("2026-10-21T01:00"))
    replace_bill(timeline.payer, timeline.clock())


def day(quantity, day_of=dt.date(2026, 11, 3), dimension="active_user", plan="paid"):
    reported = {"usageResourceId": str(uuid.UUID(int=1)), "dimension": dimension, "usageDate": day_of.isoformat()}
    return UsageDay.model_validate({**reported, "submittedQuantity": quantity, "planId": plan})


def event(number, quantity, state):
    usage = Usage(uuid.UUID(int=1), "active_user", quantity, "paid", at("2026-11-03T09:00"))
    return UsageEvent(number, 1, uuid.UUID(int=2), usage, state, 0, None)


@given(
    listed=st.decimals(0, 60, places=1),
    events=st.lists(st.tuples(st.integers(1, 12), st.sampled_from(UsageState)), max_size=6),
    adopted=st.integers(0, 20),
)
def test_a_day_is_the_sum_of_known_settled_and_surplus_usage(listed, events, adopted):
    rows = [event(number, quantity, state) for number, (quantity, state) in enumerate(events)]
    found = difference(listed, rows, adopted)
    known = adopted + sum(each.usage.quantity for each in rows if each.state is UsageState.ACCEPTED)
    arrived = sum(each.usage.quantity for each in found.arrived)
    waiting = [
        each for each in rows if each.state in {UsageState.PENDING, UsageState.HELD} and each not in found.arrived
    ]

    assert known + arrived + found.surplus + found.odd == max(listed, known)
    assert found.surplus >= 0
    assert 0 <= found.odd < 1
    assert {each.state for each in found.arrived} <= {UsageState.PENDING, UsageState.HELD}
    assert all(each.usage.quantity > found.surplus for each in waiting)
    settled = [replace(each, state=UsageState.ACCEPTED) if each in found.arrived else each for each in rows]
    assert difference(listed, settled, adopted + found.surplus) == Difference((), 0, found.odd)


@given(
    billed=st.lists(st.integers(0, 9), min_size=1, max_size=3),
    adopted=st.lists(st.integers(1, 9), max_size=3),
)
def test_a_bill_and_its_replacements_report_the_unreported_rest_and_never_less_than_zero(billed, adopted):
    reported = sum(adopted)
    for users in billed:
        quantity = unreported(users, reported)
        assert quantity >= 0
        assert reported + quantity == max(reported, users)
        reported += quantity


def test_usage_of_a_day_belongs_to_the_latest_period_ended_by_then():
    def period(month, ends_at, kind=Kind.MONTH):
        return Period(month, kind, at("2026-01-01"), at(ends_at), "UTC")

    periods = [
        period(OCTOBER, "2026-11-01"),
        period(OCTOBER.previous, "2026-10-01"),
        period(OCTOBER.next, "2026-11-20T10:30", Kind.FINAL),
    ]
    days = ["2026-09-29", "2026-09-30", "2026-10-30", "2026-10-31", "2026-11-19", "2026-11-20", "2027-01-01"]

    assert [rules.month_reported_on(dt.date.fromisoformat(each), periods) for each in days] == [
        *(None, OCTOBER.previous, OCTOBER.previous, OCTOBER, OCTOBER, OCTOBER.next, OCTOBER.next),
    ]


def test_several_rows_of_a_day_are_added_up_with_their_plan():
    [of_subscription] = listed_by_subscription([day(2, plan=""), day(1), day(4, dimension="coffee")]).values()

    assert of_subscription == {
        ("active_user", dt.date(2026, 11, 3)): Listed(Decimal(3), "paid"),
        ("coffee", dt.date(2026, 11, 3)): Listed(Decimal(4), "paid"),
    }
