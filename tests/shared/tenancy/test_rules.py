import datetime as dt
import uuid
from dataclasses import replace

import pytest

from shared.calendar import Month
from shared.errors import Forbidden, PaymentRequired
from shared.tenancy import rules
from shared.tenancy.model import AuthProvider, Plan, Role, Tenant, TenantStatus, User


MS, DAY = dt.timedelta(milliseconds=1), dt.timedelta(days=1)
END = dt.datetime(2026, 3, 31, 12, tzinfo=dt.UTC)
ID = uuid.UUID(int=1)
TRIAL = Tenant(
    id=1,
    public_id=ID,
    name="Contoso",
    slug="contoso",
    organization="contoso",
    plan=Plan.TRIAL,
    status=TenantStatus.ACTIVE,
    time_zone="Asia/Tokyo",
    trial_ends_at=END,
    seats_used=1,
    seat_limit=None,
    write_back=False,
    forgotten_timer_limit_ms=12 * 3_600_000,
)
PAID = replace(TRIAL, plan=Plan.PAID, seat_limit=7)
INTERNAL = replace(TRIAL, plan=Plan.INTERNAL, seat_limit=7, trial_ends_at=None)
ADA = User(
    id=1,
    public_id=ID,
    email="ada@contoso.example",
    display_name="Ada",
    role=Role.USER,
    auth_provider=AuthProvider.MICROSOFT,
    is_active=True,
    first_sign_in_at=None,
    last_sign_in_at=None,
    restricted_since=None,
)


@pytest.mark.parametrize("written", [TenantStatus.ACTIVE, TenantStatus.EXPIRED])
def test_a_trial_ends_at_its_end_before_the_job_has_stored_that(written):
    trial = replace(TRIAL, status=written)

    assert [rules.status_at(trial, END + after) for after in (-MS, 0 * MS, MS)] == ["active", "expired", "expired"]


@pytest.mark.parametrize(
    "tenant",
    [
        replace(TRIAL, status=TenantStatus.CANCELLED),
        replace(TRIAL, status=TenantStatus.SUSPENDED),
        replace(TRIAL, status=TenantStatus.EXPIRED, trial_ends_at=None),
        PAID,
        replace(PAID, status=TenantStatus.SUSPENDED),
        INTERNAL,
    ],
)
def test_only_the_end_of_a_trial_is_the_clocks_to_say(tenant):
    assert rules.status_at(tenant, END - MS) is rules.status_at(tenant, END + MS) is tenant.status


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (TenantStatus.EXPIRED, "trial_expired"),
        (TenantStatus.SUSPENDED, "subscription_suspended"),
        (TenantStatus.CANCELLED, "subscription_cancelled"),
    ],
)
def test_a_refusal_to_track_has_the_reason_and_the_way_to_stop_a_timer(status, code):
    with pytest.raises(PaymentRequired) as refused:
        rules.require_tracking(replace(PAID, status=status), END)

    assert refused.value.code == code
    assert "stop" in refused.value.detail
    assert "Azure Marketplace" in refused.value.detail


def test_an_active_tenant_may_track():
    for tenant in (PAID, INTERNAL):
        rules.require_tracking(tenant, END)
    rules.require_tracking(TRIAL, END - MS)

    assert rules.tracking_refusal(TRIAL, END - MS) is None


@pytest.mark.parametrize(
    ("left", "days"),
    [(30 * DAY, 30), (30 * DAY - MS, 30), (DAY + MS, 2), (DAY, 1), (MS, 1), (0 * MS, 0), (-MS, 0), (-9 * DAY, 0)],
)
def test_the_days_left_of_a_trial_count_the_running_one(left, days):
    assert rules.trial_days_left(TRIAL, END - left) == days


def test_without_a_trial_there_are_no_trial_days():
    assert rules.trial_days_left(PAID, END - DAY) is None  # its trial had an end, and is none any more
    assert rules.trial_days_left(replace(TRIAL, trial_ends_at=None), END) is None


def test_a_trial_has_the_vendors_cap_the_paid_plan_its_own_and_the_vendor_none():
    unlimited = replace(PAID, seat_limit=None)

    assert [rules.seat_cap(each, 5) for each in (TRIAL, PAID, unlimited, INTERNAL)] == [5, 7, None, None]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("writes", [True, False])
def test_after_a_cancellation_admins_read_and_nobody_writes(role, writes):
    cancelled = replace(PAID, status=TenantStatus.CANCELLED)
    if role is Role.USER or writes:
        with pytest.raises(PaymentRequired) as refused:
            rules.require_not_cancelled(cancelled, role, writes=writes)

        assert (refused.value.code, refused.value.detail) == ("subscription_cancelled", rules.CANCELLED.detail)
    else:
        rules.require_not_cancelled(cancelled, role, writes=writes)
    rules.require_not_cancelled(replace(PAID, status=TenantStatus.SUSPENDED), role, writes=writes)


def test_stopped_processing_names_the_remedy_to_its_person_and_none_to_others():
    rules.require_processing(ADA)
    with pytest.raises(Forbidden) as refused:
        rules.require_processing(replace(ADA, restricted_since=END))
    of_another = rules.processing_restricted()

    assert refused.value.code == of_another.code == "processing_restricted"
    assert "your privacy settings" in refused.value.detail
    assert refused.value.detail.startswith("You ")
    assert of_another.detail.startswith("This person ")


@pytest.mark.parametrize(
    ("tenant", "code", "opening"),
    [
        (TRIAL, "trial_user_limit_reached", "A trial is limited to 5 people, and Contoso has reached that limit."),
        (PAID, "seat_limit_reached", "All 5 seats of Contoso are in use."),
    ],
)
def test_a_seat_limit_error_names_the_limit_and_the_remedy(tenant, code, opening):
    refusal = rules.seat_limit_error(tenant, 5)

    assert refusal.code == code
    assert refusal.detail.startswith(opening)
    assert "A super admin can deactivate an account, or" in refusal.detail


def test_a_deactivated_user_is_referred_to_an_admin():
    refusal = rules.user_deactivated()

    assert refusal.code == "user_deactivated"
    assert "Ask an admin to reactivate it." in refusal.detail


def test_a_month_is_in_the_tenants_time_zone():
    midnight = dt.datetime(2025, 12, 31, 15, tzinfo=dt.UTC)  # in Tokyo

    assert [Month.of(at, TRIAL.zone).key for at in (midnight - MS, midnight)] == [202512, 202601]
