"""The approvers of a purchase: never a buyer below super admin, at least one person, of one kind at a time."""

import datetime as dt
import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tenancy.model import AuthProvider, Role, User
from shared.tenancy.rules import INACTIVE_AFTER
from webhooks.agreement.rules import Admin, Agreer, Approvers


NOW = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)
OIDS = [f"oid-{number}" for number in range(6)]
ages = st.none() | st.timedeltas(dt.timedelta(), dt.timedelta(days=90))
admins = st.lists(
    st.builds(
        lambda number, role, age: Admin(number, OIDS[number], role, None if age is None else NOW - age),
        st.integers(0, 4),
        st.sampled_from([Role.ADMIN, Role.SUPER_ADMIN]),
        ages,
    ),
    unique_by=lambda each: each.user_id,
    max_size=5,
).map(tuple)
approvers = st.builds(
    Approvers,
    admins,
    st.frozensets(st.sampled_from(OIDS), max_size=2),
    st.none() | st.integers(0, 5),
    st.booleans(),
    st.just(NOW),
)


def person(admin, *, is_active=True):
    return User(
        id=admin.user_id,
        public_id=uuid.UUID(int=admin.user_id + 1),
        email="",
        display_name="",
        role=admin.role,
        auth_provider=AuthProvider.MICROSOFT,
        is_active=is_active,
        first_sign_in_at=None,
        last_sign_in_at=admin.last_sign_in_at,
        restricted_since=None,
    )


def is_buyer(group, admin):
    return admin.user_id == group.buyer_id or admin.object_id in group.buyers


@given(approvers)
def test_a_buyer_agrees_as_a_super_admin_or_not_at_all(group):
    for admin in group.admins:
        may = group.admits(person(admin), admin.object_id)
        if admin.role is Role.SUPER_ADMIN:
            assert may
        elif is_buyer(group, admin) or group.has_agreement:
            assert not may
        else:
            assert may == (group.agreer is not Agreer.SUPER_ADMIN)
        assert not group.admits(person(admin, is_active=False), admin.object_id)
        assert not group.admits(replace(person(admin), role=Role.USER), admin.object_id)


@given(approvers)
def test_the_named_approver_has_signed_in_lately_and_the_vendor_comes_last(group):
    recent = [each for each in group.admins if each.last_sign_in_at and NOW - each.last_sign_in_at < INACTIVE_AFTER]
    able = [each for each in recent if group.admits(person(each), each.object_id)]

    assert (group.agreer is Agreer.OPERATOR) == (able == [])
    if group.agreer is Agreer.SUPER_ADMIN:
        assert {each.role for each in able} == {Role.SUPER_ADMIN}
    if group.agreer is Agreer.ADMIN:
        assert {each.role for each in able} == {Role.ADMIN}


@pytest.mark.parametrize(
    ("age", "agreer"),
    [(INACTIVE_AFTER - dt.timedelta(milliseconds=1), Agreer.SUPER_ADMIN), (INACTIVE_AFTER, Agreer.OPERATOR)],
)
def test_inactivity_begins_after_exactly_thirty_days(age, agreer):
    only = Admin(1, OIDS[1], Role.SUPER_ADMIN, NOW - age)

    assert Approvers((only,), frozenset(), None, has_agreement=False, now=NOW).agreer is agreer
