"""After faults in any order, all usage that the meter could accept is there once, and recorded as accepted."""

import contextlib
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.metering import reconcile_flow
from billing.metering.jobs import send_all
from shared.jobs import JobFailed
from tests.support.billed import Billed
from tests.support.budget import tries
from tests.support.marketplace import until


ANSWER_LOST = {"usage_batch.answer": {"status": 503}}
NO_LIST = {"usage_list": {"status": 503}}
# What goes wrong in a run, and whether the meter takes usage all the same.
TROUBLE = st.sampled_from(
    [
        ({}, True),
        (ANSWER_LOST, True),
        ({"usage_batch.answer": {"status": 503, "times": 2}}, True),
        ({"usage_batch": {"status": 503}}, False),
        ({"usage_batch": {"status": 429, "times": 1}}, True),
        ({"usage_batch": {"status": 403}}, False),
        ({"usage_batch": {"status": 200, "body": "{"}}, False),
        (NO_LIST, True),
        (ANSWER_LOST | NO_LIST, True),
    ]
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 1, 2, 7, 23, 25]),  # hours until the run
        TROUBLE,
        st.sampled_from([None, None, None, "Error"]),
        st.lists(st.integers(1, 5), max_size=3),  # bills that are closed before the run
        st.sampled_from([None, None, "suspend", "reinstate"]),  # what becomes of the first subscription
    ),
    min_size=1,
    max_size=6,
)


@dataclass
class PendingUsage:
    """The pending usage of one bill; the meter accepts it only within 24 hours of its hour."""

    tenant: Billed
    quantity: int
    slot: dt.datetime
    has_arrived: bool = False

    def is_sent(self, at: dt.datetime) -> None:
        self.has_arrived |= self.slot <= at < self.slot + dt.timedelta(hours=24)


@settings(max_examples=tries(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_usage_the_meter_could_accept_in_time_is_accepted_and_the_rest_is_in_alarm(metering, clock, steps):
    metering.empty_outbox()
    metering.marketplace.order("pace", ack_seconds=0)
    tenants = [metering.tenant() for _ in range(2)]
    debts: list[PendingUsage] = []
    for hours, (faults, takes), status, bills, change in steps:
        clock.tick(hours=hours)
        for quantity in bills:
            close_a_bill(debts, tenants, quantity, at=clock.at)
        if change is not None:
            order(metering, change, str(tenants[0].marketplace_id))
        metering.marketplace.order("shapes", usage_status=status, shuffled_batches=True)
        metering.marketplace.order("faults", **faults)
        run(metering, debts if takes and status is None else [], at=clock.at)
        metering.no_trouble()
    metering.marketplace.order("shapes", usage_status=None)
    run(metering, debts, at=clock.at)
    clock.tick(hours=25)  # what is held for a suspension is decided then at the latest
    run(metering, debts, at=clock.at)

    for tenant in tenants:
        mine = [each for each in debts if each.tenant is tenant]
        events = tenant.events()
        assert [event["quantity"] for event in events] == [each.quantity for each in mine]
        assert {event["state"] for event in events} <= {"accepted", "alarm"}
        # Each owes something: so where all could arrive, all are accepted, and none is in alarm.
        accepted = sum(event["quantity"] for event in events if event["state"] == "accepted")
        assert accepted == sum(each.quantity for each in mine if each.has_arrived)
        assert accepted == sum(metering.on_meter(tenant))
        assert all(event["claimed_until"] is None for event in events)
    clock.tick(days=3)
    of = {tenant.tenant for tenant in tenants}
    assert [each for each in reconcile_flow.reconcile(metering.app) if each.tenant in of] == []


def close_a_bill(debts: list[PendingUsage], tenants: list[Billed], quantity: int, *, at: dt.datetime) -> None:
    """The tenants in turn; none where the hour has an event already, since closing looks for another then."""
    month = len(debts) + 1
    debt = PendingUsage(tenants[month % 2], quantity, at.replace(minute=0) - dt.timedelta(hours=month % 3))
    if any(each.tenant is debt.tenant and each.slot == debt.slot for each in debts):
        return
    debt.tenant.owe(quantity, slot=debt.slot, month=202001 + month % 12 + 100 * (month // 12))
    debts.append(debt)


def order(metering, change: str, subscription: str) -> None:
    """Suspends or reinstates, and waits until it is done."""
    with contextlib.suppress(AssertionError):  # it is in that state already
        metering.marketplace.order(change, subscription=subscription)
    wanted = {"suspend": "Suspended", "reinstate": "Subscribed"}[change]
    until(lambda: metering.marketplace.status(subscription) == wanted)


def run(metering, sent: Iterable[PendingUsage], *, at: dt.datetime) -> None:
    """`sent` is what the meter would take, if it is told in time and the subscription is active."""
    with contextlib.suppress(JobFailed):
        send_all(metering.app)
    for each in sent:
        if metering.marketplace.status(str(each.tenant.marketplace_id)) == "Subscribed":
            each.is_sent(at)
