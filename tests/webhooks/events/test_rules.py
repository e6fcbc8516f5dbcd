"""The rules of events, without a database."""

import uuid
from dataclasses import replace

import pytest

from billing.marketplace.model import Operation
from billing.subscriptions.model import Subscription, SubscriptionStatus, Terms
from shared.tenancy.model import Plan, Tenant, TenantStatus
from webhooks.events import rules


TENANT = Tenant(
    id=1,
    public_id=uuid.UUID(int=1),
    name="Contoso",
    slug="contoso",
    organization="contoso",
    plan=Plan.PAID,
    status=TenantStatus.ACTIVE,
    time_zone="UTC",
    trial_ends_at=None,
    seats_used=5,
    seat_limit=9,
    write_back=False,
    forgotten_timer_limit_ms=43_200_000,
)


def build_operation(action: str, plan: str, seats: int | None, status: str = "InProgress") -> Operation:
    ids = {"id": str(uuid.UUID(int=1)), "subscription_id": str(uuid.UUID(int=2))}
    return Operation(**ids, action=action, plan_id=plan, quantity=seats, status=status)


def purchase(seats: int | None, status: SubscriptionStatus = SubscriptionStatus.SUBSCRIBED) -> Subscription:
    terms = Terms(status, "o", "p", seats, "P1M", None, None, auto_renew=True)
    return Subscription(1, 1, uuid.UUID(int=1), terms, None, None, None, 1)


@pytest.mark.parametrize(
    ("used", "is_over"),
    [(3, False), (4, False), (5, True)],
)
def test_a_reduction_below_the_enabled_accounts_exceeds_the_seats(used, is_over):
    assert rules.exceeds_seats(replace(TENANT, seats_used=used), purchase(9), purchase(4)) is is_over


def test_unlimited_internal_and_ended_subscriptions_never_exceed_their_seats():
    internal = replace(TENANT, plan=Plan.INTERNAL)

    assert not rules.exceeds_seats(TENANT, purchase(9), purchase(None))
    assert not rules.exceeds_seats(internal, purchase(9), purchase(4))
    assert not rules.exceeds_seats(TENANT, purchase(9), purchase(4, SubscriptionStatus.UNSUBSCRIBED))


def test_exceeded_seats_are_reported_once_and_again_at_the_activation():
    assert not rules.exceeds_seats(TENANT, purchase(4), purchase(4))
    assert rules.exceeds_seats(TENANT, purchase(4, SubscriptionStatus.PENDING), purchase(4))


@pytest.mark.parametrize(
    ("action", "plan", "seats", "is_decidable"),
    [
        ("ChangePlan", "gold", None, True),
        ("ChangePlan", "", 5, False),
        ("ChangeQuantity", "", 5, True),
        ("ChangeQuantity", "gold", None, False),
        ("Suspend", "", None, True),
    ],
)
def test_a_change_is_decidable_with_its_new_value(action, plan, seats, *, is_decidable):
    assert rules.is_decidable(build_operation(action, plan, seats)) is is_decidable


@pytest.mark.parametrize(("status", "is_decidable"), [("", False), ("Delayed", False), ("Succeeded", True)])
@pytest.mark.parametrize("action", sorted(rules.DELAYED))
def test_a_change_without_a_status_did_not_fail(action, status, *, is_decidable):
    operation = build_operation(action, "p", 3, status)

    assert rules.is_decidable(operation) is is_decidable
    assert not rules.has_failed(operation)


@pytest.mark.parametrize(("present", "is_refused"), [(9, True), (5, True), (3, False), (2, False), (None, False)])
def test_only_a_certain_reduction_is_refused(present, *, is_refused):
    terms = purchase(present).terms
    microsoft = rules.MarketplaceState(terms, terms, build_operation("ChangeQuantity", "p", 4), None)

    assert (rules.check_seats(TENANT, microsoft) is not None) is is_refused
