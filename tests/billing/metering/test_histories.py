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
from tests.support.billed_tenants import BilledTenant
from tests.support.budget import tries
from tests.support.marketplace import wait_until


ANSWER_LOST = {"usage_batch.answer": {"status": 503}}
NO_LIST = {"usage_list": {"status": 503}}
# Faults of a run, and whether the meter accepts usage nevertheless.
FAULTS = st.sampled_from(
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
        FAULTS,
        st.sampled_from([None, None, None, "Error"]),
        st.lists(st.integers(1, 5), max_size=3),  # bills that are closed before the run
        st.sampled_from([None, None, "suspend", "reinstate"]),  # of the first subscription
    ),
    min_size=1,
    max_size=6,
)


@dataclass
class PendingUsage:
    """The usage of a bill: it is accepted if sent within 24 hours of its slot."""

    tenant: BilledTenant
    quantity: int
    slot: dt.datetime
    has_arrived: bool = False

    def is_sent(self, at: dt.datetime) -> None:
        self.has_arrived |= self.slot <= at < self.slot + dt.timedelta(hours=24)


@settings(max_examples=tries(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_usage_the_meter_could_accept_in_time_is_accepted_and_the_rest_is_in_alarm(metering, clock, steps):
    metering.empty_outbox()
    metering.marketplace.execute("pace", ack_seconds=0)
    tenants = [metering.tenant() for _ in range(2)]
    usages: list[PendingUsage] = []
    for hours, (faults, takes), status, bills, change in steps:
        clock.tick(hours=hours)
        for quantity in bills:
            close_a_bill(usages, tenants, quantity, at=clock.at)
        if change is not None:
            order(metering, change, str(tenants[0].marketplace_id))
        metering.marketplace.execute("shapes", usage_status=status, shuffled_batches=True)
        metering.marketplace.execute("faults", **faults)
        run(metering, usages if takes and status is None else [], at=clock.at)
        metering.clear_faults()
    metering.marketplace.execute("shapes", usage_status=None)
    run(metering, usages, at=clock.at)
    clock.tick(hours=25)  # usage held for a suspension is settled by then
    run(metering, usages, at=clock.at)

    for tenant in tenants:
        mine = [each for each in usages if each.tenant is tenant]
        events = tenant.events()
        assert [event["quantity"] for event in events] == [each.quantity for each in mine]
        assert {event["state"] for event in events} <= {"accepted", "alarm"}
        # No quantity is 0: if all could be accepted, none is in alarm.
        accepted = sum(event["quantity"] for event in events if event["state"] == "accepted")
        assert accepted == sum(each.quantity for each in mine if each.has_arrived)
        assert accepted == sum(metering.on_meter(tenant))
        assert all(event["claimed_until"] is None for event in events)
    clock.tick(days=3)
    of = {tenant.tenant for tenant in tenants}
    assert [each for each in reconcile_flow.reconcile(metering.app) if each.tenant in of] == []


def close_a_bill(usages: list[PendingUsage], tenants: list[BilledTenant], quantity: int, *, at: dt.datetime) -> None:
    """For the tenants in turn; not for a used hour, since closing would choose another."""
    month = len(usages) + 1
    usage = PendingUsage(tenants[month % 2], quantity, at.replace(minute=0) - dt.timedelta(hours=month % 3))
    if any(each.tenant is usage.tenant and each.slot == usage.slot for each in usages):
        return
    usage.tenant.add_usage(quantity, slot=usage.slot, month=202001 + month % 12 + 100 * (month // 12))
    usages.append(usage)


def order(metering, change: str, subscription: str) -> None:
    """Suspends or reinstates, and waits for the result."""
    with contextlib.suppress(AssertionError):  # it is in that state already
        metering.marketplace.execute(change, subscription=subscription)
    wanted = {"suspend": "Suspended", "reinstate": "Subscribed"}[change]
    wait_until(lambda: metering.marketplace.status(subscription) == wanted)


def run(metering, sent: Iterable[PendingUsage], *, at: dt.datetime) -> None:
    """`sent` is accepted if it is in time and the subscription is active."""
    with contextlib.suppress(JobFailed):
        send_all(metering.app)
    for each in sent:
        if metering.marketplace.status(str(each.tenant.marketplace_id)) == "Subscribed":
            each.is_sent(at)
