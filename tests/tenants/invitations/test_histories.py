"""After any history of invitations, sign-ins, merges and confirmations, roles, seats and hours are as in a model."""

import collections
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tenants.new_rows import address_key
from tests.support.budget import tries
from tests.tenants.people.test_people import add, set_tenant


HOUR = 3_600_000
ADDRESSES = [
    "kim@a.example",
    "KIM@A.example",
    "\N{KELVIN SIGN}im@a.example",
    "k\N{LATIN SMALL LETTER DOTLESS I}m@a.example",
    "boss.strasse@a.example",
    "boss.stra\N{LATIN SMALL LETTER SHARP S}e@a.example",
    "true@a.example",
    "role@super_admin.example",
    "kim@a.example ",
    "kim@a.example\N{ZERO WIDTH SPACE}",
    "%@a.example",
]
NAMES = [
    "Kim",
    "kim",
    "kim@a.example",
    "super_admin",
    "id",
    "2026",
    '{"role":"admin"}',
    "%",
    "\N{HANGUL FILLER}x",
    "K" * 200,
]
INVITABLE = [each for each in ADDRESSES if each.isascii() and " " not in each]
GUEST = {"acct": 1, "idp": "https://sts.windows.net/fa15d692-e9c7-4460-a743-29f29522aaaa/"}
some = st.integers(0, 20)


@dataclass(eq=False)
class Account:
    """`person` has signed in with it; an invitation without one is open until it is closed, merged or claimed."""

    id: str
    address: str
    role: str = "user"
    pending: str | None = None
    person: object = None
    is_open: bool = True
    is_merged: bool = False
    hours: int = 0


class Histories(RuleBasedStateMachine):
    def __init__(self, world, engine) -> None:
        super().__init__()
        self.world, self.engine, self.hour = world, engine, 0

    @initialize()
    def a_tenant(self):
        self.ada = self.world.tenant()
        set_tenant(self.engine, self.ada, plan_kind="internal")
        me = Account(self.ada.get("me").body["id"], self.ada.email, "super_admin", person=self.ada)
        self.accounts = [me]

    @rule(address=st.sampled_from(INVITABLE), name=st.sampled_from(NAMES), role=st.sampled_from(["user", "admin"]))
    def invite(self, address, name, role):
        [result] = add(self.ada, {"email": address, "displayName": name, "role": role}).body["results"]
        taken = any(
            each.is_open
            and (each.person is not None or not each.is_merged)
            and address_key(each.address) == address_key(address)
            for each in self.accounts
        )
        assert ("user" not in result) == taken
        if not taken:
            pending = None if role == "user" else role
            self.accounts.append(Account(result["user"]["id"], address, pending=pending))

    @rule(address=st.sampled_from(ADDRESSES), name=st.sampled_from(NAMES), guest=st.booleans())
    def join(self, address, name, guest):
        person = self.world.member(self.ada, name=name, email=address, **(GUEST if guest else {}))
        found = person.get("me").body
        matching = [
            each
            for each in self.invitations
            if address_key(address) == address_key(each.address) and not (guest and each.pending)
        ]
        assert found["role"] == "user"
        if matching:
            [claimed] = matching
            assert found["id"] == claimed.id
            claimed.person, claimed.address = person, found["email"]
        else:
            assert found["id"] not in {each.id for each in self.accounts}
            self.accounts.append(Account(found["id"], found["email"], person=person))

    @precondition(lambda self: len(self.accounts) > 1)
    @rule(which=some)
    def close(self, which):
        account = self._other(which)
        if not account.is_merged:
            assert self.ada.post(f"users/{account.id}/deactivate").status == 200
            account.is_open = False

    @precondition(lambda self: len(self.accounts) > 1)
    @rule(which=some)
    def open(self, which):
        account = self._other(which)
        if account.is_merged or account.is_open:
            return
        answer = self.ada.post(f"users/{account.id}/reactivate")
        is_taken = account.person is None and any(
            address_key(each.address) == address_key(account.address) for each in self.invitations
        )
        assert answer.status == (409 if is_taken else 200), answer.raw
        account.is_open = not is_taken

    @precondition(lambda self: len(self.accounts) > 1)
    @rule(which=some)
    def enter(self, which):
        account = self._other(which)
        self.hour += 1
        day, hour = 1 + self.hour // 20, self.hour % 20
        times = (f"2026-11-{day:02}T{hour:02}:00:00Z", f"2026-11-{day:02}T{hour + 1:02}:00:00Z")
        answer = self.ada.enter(*times, userId=account.id)
        assert answer.status == (404 if account.is_merged else 201), answer.raw
        account.hours += answer.status == 201

    @precondition(lambda self: len(self.accounts) > 1)
    @rule(one=some, other=some)
    def merge(self, one, other):
        one, other = self._other(one), self._other(other)
        answer = self.ada.post(f"users/{one.id}/merge", {"into": other.id})
        if one.is_merged or other.is_merged:
            assert answer.status == 404
        elif one.person is not None or other.person is None:
            assert answer.status == 409
        else:
            assert answer.status == 200, answer.raw
            other.hours, one.hours = one.hours + other.hours, 0
            one.is_open, one.is_merged = False, True

    @precondition(lambda self: len(self.accounts) > 1)
    @rule(which=some)
    def confirm(self, which):
        account = self._other(which)
        answer = self.ada.post(f"users/{account.id}/confirm-role")
        if account.is_merged:
            assert answer.status == 404
        elif account.person is None or account.pending is None:
            assert answer.status == 409
        else:
            assert answer.status == 200
            account.role, account.pending = account.pending, None

    @invariant()
    def people_are_as_in_the_model(self):
        listed = {each["id"]: each for each in self._all_users()}
        kept = [each for each in self.accounts if not each.is_merged]
        assert {each.id: (each.address, each.role, each.pending, each.is_open) for each in kept} == {
            key: (row["email"], row["role"], row.get("pendingRole"), row["isActive"]) for key, row in listed.items()
        }
        open_ids = {each.id for each in self.invitations}
        assert {key for key, row in listed.items() if "invitationEndsAt" in row} == open_ids
        assert self.ada.post("sign-in").body["tenant"]["seatsUsed"] == sum(each.is_open for each in self.accounts)

    @invariant()
    def hours_are_as_in_the_model(self):
        rows = self.ada.report(groupBy="user").body["rows"]
        hours = collections.Counter({row["user"]["id"]: row["elapsedMs"] // HOUR for row in rows})
        assert hours == collections.Counter({each.id: each.hours for each in self.accounts if each.hours})

    @property
    def invitations(self):
        return [each for each in self.accounts if each.person is None and each.is_open]

    def _other(self, which):
        return self.accounts[1 + which % (len(self.accounts) - 1)]

    def _all_users(self):
        return self.ada.get("users", pageSize="200").body["items"]


@pytest.mark.timeout(600)
def test_people_are_as_in_a_plain_model(world, engine):
    run_state_machine_as_test(
        lambda: Histories(world, engine),  # type: ignore[arg-type]  # a factory will do
        settings=settings(
            max_examples=tries(6), stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.parametrize(
    ("joined", "invited"),
    [
        ("\N{KELVIN SIGN}im@a.example", "kim@a.example"),
        ("k\N{LATIN SMALL LETTER DOTLESS I}m@a.example", "kim@a.example"),
        ("boss.stra\N{LATIN SMALL LETTER SHARP S}e@a.example", "boss.strasse@a.example"),
        ("KIM@A.example", "kim@a.example"),
    ],
)
def test_a_history_that_failed_once_is_as_in_the_model(world, engine, joined, invited):
    found = Histories(world, engine)
    found.a_tenant()
    found.join(joined, "Kim", guest=False)
    found.invite(invited, "Kim", "user")
    found.join(invited, "Kim", guest=False)
    found.people_are_as_in_the_model()
