"""Whatever goes wrong in whatever order: the meter has what the outbox says it has, and nothing twice."""

import contextlib
import datetime as dt

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import flow_usage
from billing.jobs_usage import send_all
from shared.jobs import JobFailed
from tests.support.budget import tries


NO_PAUSE = {"Retry-After": "0"}
TROUBLE = st.sampled_from(
    [
        {},
        {"usage_batch.answer": {"status": 503, "headers": NO_PAUSE}},  # taken, and never told
        {"usage_batch.answer": {"status": 503, "headers": NO_PAUSE, "times": 2}},
        {"usage_batch": {"status": 503, "headers": NO_PAUSE}},
        {"usage_batch": {"status": 429, "headers": NO_PAUSE, "times": 1}},
        {"usage_batch": {"status": 403}},
        {"usage_batch": {"status": 200, "body": "{"}},
        {"usage_list": {"status": 503, "headers": NO_PAUSE}},
        {
            "usage_batch.answer": {"status": 503, "headers": NO_PAUSE},
            "usage_list": {"status": 503, "headers": NO_PAUSE},
        },
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


@settings(max_examples=tries(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_meter_has_exactly_what_is_known_to_have_arrived(metering, clock, steps):
    marketplace, month = metering.marketplace, 0
    metering.empty_outbox()
    tenants = [metering.tenant() for _ in range(2)]
    first = str(tenants[0].marketplace_id)
    for hours, trouble, status, bills, change in steps:
        clock.tick(hours=hours)
        for quantity in bills:
            month += 1
            slot = clock.at.replace(minute=0) - dt.timedelta(hours=month % 3)
            with contextlib.suppress(Taken):
                owe(tenants[month % 2], quantity, slot=slot, month=202001 + month % 12 + 100 * (month // 12))
        with contextlib.suppress(AssertionError):  # it is in that state already
            if change is not None:
                marketplace.order(change, subscription=first)
        marketplace.order("shapes", usage_status=status, shuffled_batches=True)
        marketplace.order("faults", **trouble)
        run(metering)
        metering.no_trouble()
    marketplace.order("shapes", usage_status=None)
    run(metering)
    clock.tick(hours=25)  # what is held for a suspension is decided then at the latest
    run(metering)

    for tenant in tenants:
        accepted = [event["quantity"] for event in tenant.events() if event["state"] == "accepted"]
        assert sum(accepted) == sum(metering.on_meter(tenant))
        assert {event["state"] for event in tenant.events()} <= {"accepted", "alarm"}
        assert all(event["claimed_until"] is None for event in tenant.events())
    clock.tick(days=3)
    mine = {tenant.tenant for tenant in tenants}
    assert [each for each in flow_usage.reconcile(metering.app) if each.tenant in mine] == []


class Taken(Exception):
    """The hour has an event of the outbox already: closing looks for another."""


def owe(tenant, quantity, *, slot, month):
    if slot in {event["slot"] for event in tenant.events()}:
        raise Taken
    tenant.owe(quantity, slot=slot, month=month)


def run(metering):
    with contextlib.suppress(JobFailed):
        send_all(metering.app)
