"""State machine of an organization whose people do all that they may, in any order, with checks after each step.

`HostilePeople` has the people and the checks. Steps are rules in other classes, which a test combines:
`class Machine(Renaming, Purchases, HostilePeople)`. A step of one person runs inside `self.changing_own_rows(person)`.
"""

import datetime as dt
import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition

from function_app import INVARIANTS
from privacy import jobs
from privacy.requests import store as requests_store
from shared.app import App
from shared.db.schema import (
    audit_log,
    billing_lines,
    kept_mentions,
    metadata,
    organizations,
    running_timers,
    tenants,
    time_entries,
    time_entry_days,
    timer_log,
    users,
    work_items,
)
from shared.health.invariants import find_violations
from shared.restore import flow
from tests.support import markers
from tests.support.exports import export
from tests.support.hostile import ADDRESSES, DIRECTORY_NAMES, NAMES
from tests.support.world import FakeClock, Person, World


WHO = st.integers(0, 4)
ADDRESS = st.integers(0, 3)  # few in an example, so that look-alikes meet
TEXT = st.integers(0, 2)  # few in an example, so that names meet the notes of others
ERASURE_DAYS = 3
_TABLES = (
    audit_log,
    billing_lines,
    running_timers,
    time_entries,
    time_entry_days,
    timer_log,
    users,
    work_items,
)
_EVERY_TABLE = tuple(table for table in metadata.sorted_tables if "tenant_id" in table.c)
_EVE = 3
GUEST = {"acct": 1}
_NOT_OPEN = {"email_key": None, "invitation_ends_at": None, "invited_object_id": None}
_TEXT = ("note", "reason")
_DOCUMENTS = ("before_change", "after_change")
Rows = dict[tuple[str, Any], dict[str, Any]]


@dataclass
class Erasure:
    """A person just before the erasure, with the identifiers that others' text may contain."""

    row: int
    name: str | None
    addresses: tuple[str, ...]
    kept: set[tuple[str, int]]
    pseudonym: str = ""

    def without(self, text: str) -> str:
        for mention in (*self.addresses, *self._name_in_text):
            case = "a" if mention.isascii() else "-i"
            text = re.sub(rf"(?<!\S)(?{case}:{re.escape(mention)})(?!\S)", self.pseudonym, text, flags=re.IGNORECASE)
        return text

    @property
    def _name_in_text(self) -> list[str]:
        """A name of two words or more; a number is no word, since any text may have "id 2026"."""
        name = self.name or ""
        return [name] if sum(any(map(str.isalpha, word)) for word in name.split()) > 1 else []


class HostilePeople(RuleBasedStateMachine):
    """Ada is the super admin, Ben an admin, Mal a user, Eve a guest; Kim may join later.

    After an erasure each may return as another person. Another organization has the same names and text, and none of
    its rows may change.
    """

    def __init__(self, app: App, world: World, clock: FakeClock, engine: sa.Engine) -> None:
        super().__init__()
        self.app, self.world, self.clock, self.engine = app, world, clock, engine

    @initialize(
        names=st.permutations(DIRECTORY_NAMES),
        texts=st.lists(st.sampled_from(NAMES), min_size=3, max_size=3, unique=True),
        addresses=st.lists(st.sampled_from(ADDRESSES), min_size=4, max_size=4, unique=True),
    )
    def an_organization(self, names: list[str], texts: list[str], addresses: list[str]) -> None:
        self.texts, self.organization = texts, "contoso"
        ada = self.world.tenant()
        self.domain = f"a{ada.oid[:8]}.example"
        self.addresses = [each.format(self.domain) for each in addresses]
        others = [
            self.world.member(ada, name=name, **more)
            for name, more in zip(names[:3], ({}, {}, {"acct": 1}), strict=True)
        ]
        kim = self.world.person(ada.tid, names[3], email=self.addresses[0])
        self.people = [ada, *others, kim]
        oids = [uuid.UUID(each.oid) for each in self.people]
        with self.engine.begin() as tx:
            of_directory = tenants.c.entra_tenant_id == uuid.UUID(ada.tid)
            self.tenant_id = int(tx.execute(sa.select(tenants.c.id).where(of_directory)).scalar_one())
            years = {"trial_ends_at": self.clock() + dt.timedelta(days=3650)}
            tx.execute(tenants.update().where(of_directory).values(**years, plan_kind="internal"))
            tx.execute(users.update().where(users.c.entra_object_id == oids[1]).values(role="admin"))
            organization = tx.scalar(sa.select(organizations.c.id).where(organizations.c.tenant_id == self.tenant_id))
            for number, name in enumerate(names, 501):
                item = {"tenant_id": self.tenant_id, "organization_id": organization, "organization_key": "contoso"}
                item |= {"work_item_id": number, "type": "Bug", "title": "A title", "state": "Active"}
                tx.execute(work_items.insert(), {**item, "assignee_name": name, "fetched_at": self.clock()})
        if kim.email.isascii():
            self.invite({"email": kim.email, "role": "admin"})
        self._a_stranger(names)

    def invite(self, wanted: dict[str, str]) -> str:
        """Invites as Ada; returns the invitation's id."""
        invited: str = self.people[0].post("users", {"users": [wanted]}).body["results"][0]["user"]["id"]
        return invited

    def _a_stranger(self, names: list[str]) -> None:
        stranger = self.world.tenant()
        with self.engine.begin() as tx:
            of_directory = tenants.c.entra_tenant_id == uuid.UUID(stranger.tid)
            self.stranger_id = int(tx.execute(sa.select(tenants.c.id).where(of_directory)).scalar_one())
            tx.execute(tenants.update().where(of_directory).values(plan_kind="internal"))
        self.stranger = stranger
        for name, person in zip(names, self.people[1:], strict=True):
            twin = self.world.member(stranger, name=name, email=person.email)
            twin.enter(note=f"with {name} or {person.email} today", project=self.texts[0])
            twin.patch("me", {"displayName": self.texts[1]})
            twin.start(7, note=self.texts[2])
        invited = stranger.post("users", {"users": [{"email": "kim@contoso.example"}]}).body["results"][0]["user"]
        stranger.enter(userId=invited["id"], note=self.texts[1])
        assert stranger.post(f"users/{invited['id']}/deactivate").status == 200  # so nothing of it ends by itself
        self.stranger_rows = self.rows_of_stranger()

    def renew_token(self, who: int) -> Person:
        """Signs one of the five in; after an erasure as a new person, who may claim an invitation."""
        person = self.world.renew_token(self.people[who], **(GUEST if who == _EVE else {}))
        before = None if self._is_known(person) else self.rows()
        signed_in = person.post("sign-in")
        assert signed_in.status == 200, signed_in.raw
        self.people[who] = person
        if before is not None:
            self._assert_sign_in(before, person, signed_in.body["user"]["role"], is_guest=who == _EVE)
        return person

    def _is_known(self, person: Person) -> bool:
        of_tenant, theirs = users.c.tenant_id == self.tenant_id, users.c.entra_object_id == uuid.UUID(person.oid)
        with self.engine.connect() as tx:
            return tx.execute(sa.select(users.c.id).where(of_tenant, theirs)).first() is not None

    def _assert_sign_in(self, before: Rows, person: Person, role: str, *, is_guest: bool) -> None:
        """An invitation is claimed by object id, or by address; an address gives no role above user."""
        own = self.row_of(person)
        claimed = before.get(("users", (own,)))
        self._compare(before, self.rows(), own)
        is_named = claimed is not None and claimed["invited_object_id"] == uuid.UUID(person.oid)
        assert role == "user" or (is_named and not is_guest)
        if claimed is not None:
            assert (claimed["entra_object_id"], claimed["merged_into"]) == (None, None)
            assert claimed["is_active"]
            assert claimed["invitation_ends_at"] > self.clock()
            assert is_named or (claimed["email"].lower(), person.email.isascii()) == (person.email.lower(), True)
            assert is_named or not (is_guest and claimed["pending_role"])

    def unclaimed(self) -> dict[str, int]:
        """The unclaimed invitations, open or closed, by public id."""
        waiting = (users.c.entra_object_id.is_(None), users.c.merged_into.is_(None), users.c.erased_at.is_(None))
        with self.engine.connect() as tx:
            found = sa.select(users.c.public_id, users.c.id).where(users.c.tenant_id == self.tenant_id, *waiting)
            return {str(row.public_id): row.id for row in tx.execute(found.order_by(users.c.id))}

    def ids(self) -> dict[str, int]:
        """The accounts by public id."""
        with self.engine.connect() as tx:
            rows = tx.execute(sa.select(users.c.public_id, users.c.id).where(users.c.tenant_id == self.tenant_id))
            return {str(row.public_id): row.id for row in rows}

    def id_of(self, person: Person) -> str:
        """The public id of a person with an account."""
        own = self.row_of(person)
        return next(id_ for id_, row in self.ids().items() if row == own)

    def row_of(self, person: Person) -> int:
        with self.engine.connect() as tx:
            own = users.c.entra_object_id == uuid.UUID(person.oid)
            of_tenant = users.c.tenant_id == self.tenant_id
            return int(tx.execute(sa.select(users.c.id).where(own, of_tenant)).scalar_one())

    def rows(self, tenant_id: int | None = None, of: Iterable[sa.Table] = _TABLES) -> Rows:
        """The rows of a tenant, by default of theirs."""
        found: Rows = {}
        with self.engine.connect() as tx:
            for table in of:
                is_theirs = table.c.tenant_id == (tenant_id or self.tenant_id)
                for row in tx.execute(sa.select(table).where(is_theirs)).mappings():
                    key = tuple(row[column.name] for column in table.primary_key.columns)
                    found[table.name, key] = dict(row)
        return found

    def rows_of_stranger(self) -> Rows:
        """All rows of the other organization, in all tables."""
        return self.rows(self.stranger_id, _EVERY_TABLE)

    @contextmanager
    def changing_own_rows(self, person: Person) -> Iterator[None]:
        """A step of one person that may change only existing rows of their own account and timer.

        Accounts merged into theirs count as theirs.
        """
        own = self.row_of(person)
        with self.changing(own, *(each["id"] for each in self._merged_into(own))):
            yield

    @contextmanager
    def changing(self, *accounts: int) -> Iterator[None]:
        """A step that may change no existing rows except these accounts and their timers."""
        before = self.rows()
        yield
        self._compare(before, self.rows(), *accounts)

    def _compare(self, before: Rows, after: Rows, *accounts: int) -> None:
        for (table, key), row in before.items():
            is_account = table == "users" and row["id"] in accounts
            if is_account or (table == "running_timers" and row["user_id"] in accounts):
                continue
            found = after.get((table, key))
            assert found == row or self._has_ended(table, row, found), (table, key)

    def _has_ended(self, table: str, row: dict[str, Any], found: dict[str, Any] | None) -> bool:
        """Whether an expired invitation is closed now; any step that needs a seat may close it."""
        if table != "users" or found is None or row["entra_object_id"] is not None:
            return False
        ends = row["invitation_ends_at"]
        closed = {"is_active": False, "version": row["version"] + 1, "updated_at": self.clock(), **_NOT_OPEN}
        return ends is not None and ends <= self.clock() and found == {**row, **closed}

    @contextmanager
    def merging(self, invitation: int, person: int) -> Iterator[None]:
        """A step that moves the entries of an invitation to a person; the log stays unchanged."""
        before = self.rows()
        yield
        after = self.rows()
        for (table, key), row in list(before.items()):
            if table in {"time_entries", "time_entry_days"} and row["user_id"] == invitation:
                before[table, key] = {**row, "user_id": person}
            if table == "time_entries" and row["user_id"] == invitation:
                before[table, key] |= {"version": row["version"] + 1, "updated_at": self.clock()}
        self._compare(before, after, invitation)
        merged = after["users", (invitation,)]
        assert (merged["merged_into"], merged["is_active"], merged["role"]) == (person, False, "user")

    def run_due_erasures(self) -> None:
        """Runs due erasures, and checks each change; during a restore hold nothing may change."""
        is_held = flow.read_installation(self.app).is_held
        with self.erasing(*([] if is_held else self._due())):
            jobs.carry_out_erasures(None)
            if is_held:
                jobs.remove_expired(None)

    @contextmanager
    def erasing(self, *subjects: int, changing: Iterable[int] = ()) -> Iterator[None]:
        """A step that erases accounts in this order; also the accounts `changing` and their timers may change."""
        before, erased = self.rows(), self._list_erasures(subjects)
        yield
        after = self.rows()
        with self.engine.connect() as tx:
            called = dict(tx.execute(sa.select(users.c.id, users.c.display_name)).all())
        for each in erased:
            each.pseudonym = called[each.row]
            assert each.pseudonym.startswith("erased-")
        for (table, key), row in before.items():
            expected: dict[str, Any] | None = row
            for each in erased:
                expected = _after_erasure(table, expected, each)
            found = after.get((table, key), {})
            has_stopped = table == "running_timers" and row["user_id"] in {*subjects, *changing} and not found
            if expected is not None and not has_stopped and not (table == "users" and row["id"] in changing):
                assert {name: found.get(name) for name in expected} == expected, (table, key)

    def _due(self) -> list[int]:
        """The accounts of due erasures, in order."""
        with self.engine.connect() as tx:
            found = [id_ for tenant, id_ in requests_store.list_due(tx, self.clock()) if tenant == self.tenant_id]
            requests = [requests_store.find(tx, self.tenant_id, each) for each in found]
        return [each.subject_user_id for each in requests if each is not None and each.subject_user_id]

    def _list_erasures(self, subjects: Iterable[int]) -> list[Erasure]:
        """The erasures of accounts and those merged into them, with the identifiers that no remaining person shares."""
        with self.engine.connect() as tx:
            of_tenant = (users.c.tenant_id == self.tenant_id, users.c.erased_at.is_(None))
            people = {row["id"]: row for row in tx.execute(sa.select(users).where(*of_tenant)).mappings()}
            kept = tx.execute(sa.select(kept_mentions).where(kept_mentions.c.tenant_id == self.tenant_id)).all()
        erased = []
        for subject in subjects:
            row = people.pop(subject)
            colleagues = [each for each in people.values() if each["entra_object_id"] is not None]
            given = [each["directory_name"] for each in colleagues if each["directory_name"] is not None]
            chosen = [each["display_name"].casefold() for each in colleagues if each["directory_name"] is None]
            name = row["directory_name"]
            if name is not None and (
                any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", each, re.IGNORECASE) for each in given)
                or name.casefold() in chosen
            ):
                name = None
            addresses = () if row["entra_object_id"] is None else (row["email"],)
            stay = {(each.table_name, each.row_id) for each in kept if each.subject_user_id == subject}
            erased += [Erasure(merged["id"], None, (), set()) for merged in self._merged_into(subject)]
            taken = {markers.fold_case(each["email"]) for each in colleagues}
            erased.append(Erasure(subject, name, () if markers.fold_case(row["email"]) in taken else addresses, stay))
        return erased

    def _merged_into(self, subject: int) -> list[dict[str, Any]]:
        of_tenant = (users.c.tenant_id == self.tenant_id, users.c.merged_into == subject)
        with self.engine.connect() as tx:
            rows = tx.execute(sa.select(users).where(*of_tenant).order_by(users.c.id)).mappings()
            return [dict(row) for row in rows]

    def assert_all_pages_work(self) -> None:
        """Each page and export of each person succeeds, and the invariants hold."""
        for who in range(len(self.people)):
            person = self.renew_token(who)
            paths = ["me", "entries", "timer-log", "timers/running", "privacy", "privacy/erasure"]
            months = [self.clock() - dt.timedelta(days=31), self.clock()]
            answers = [person.report(f"{month:%Y-%m}", groupBy="user,workItem") for month in months]
            role = person.get("me").body["role"]
            paths += ["users", "actions", "timers"] if role != "user" else []
            paths += ["audit", "tenant"] if role == "super_admin" else []
            answers += [person.get(path) for path in paths]
            answers += [export(person), export(person, format="zip")]
            answers += [export(person, scope="tenant")] if role == "super_admin" else []
            assert [each.raw for each in answers if each.status not in {200, 204}] == []
            assert not any(row.get("unreadable") for row in person.log())
        with self.engine.connect() as tx:
            assert list(find_violations(tx, INVARIANTS)) == []

    @invariant()
    @precondition(lambda self: hasattr(self, "stranger_rows"))
    def rows_of_other_organization_are_unchanged(self) -> None:
        assert self.rows_of_stranger() == self.stranger_rows

    @invariant()
    @precondition(lambda self: hasattr(self, "people"))
    def totals_are_those_of_the_log(self) -> None:
        """Compares sums of entries and log: a lost entry would be in the log alone."""
        with self.engine.connect() as tx:
            total = sa.func.coalesce(sa.func.sum(time_entries.c.elapsed_ms), 0)
            found = tx.scalar(sa.select(total).where(time_entries.c.tenant_id == self.tenant_id))
            ends = (timer_log.c.tenant_id == self.tenant_id, timer_log.c.event.in_(("stopped", "entered")))
            logged = tx.scalar(sa.select(sa.func.coalesce(sa.func.sum(timer_log.c.elapsed_ms), 0)).where(*ends))
        assert found == logged

    def teardown(self) -> None:
        if hasattr(self, "people"):
            self.assert_all_pages_work()


def _after_erasure(table: str, row: dict[str, Any] | None, erased: Erasure) -> dict[str, Any] | None:
    """The expected row after an erasure; None if it may be anything."""
    if row is None or (table, row.get("id")) == ("users", erased.row):
        return None
    own = row.get("user_id") == erased.row
    if table == "work_items":
        is_theirs = erased.name is not None and row["assignee_name"] == erased.name
        blank = {"title": "", "assignee_name": None, "state": "", "fetched_at": dt.datetime(2000, 1, 1, tzinfo=dt.UTC)}
        return {**row, **blank} if is_theirs else row
    if table == "billing_lines" and own:
        return {name: value for name, value in row.items() if name not in {"email", "display_name"}}
    if table in {"time_entries", "running_timers", "timer_log"}:
        is_kept = (table, row["id"]) in erased.kept
        written = own or row.get("actor_id") == erased.row
        text: dict[str, Any] = {
            name: _text(row[name], erased, own=written, kept=is_kept) for name in _TEXT if name in row
        }
        for name in _DOCUMENTS if table == "timer_log" else ():
            if row[name] is not None:
                note = _text(row[name]["note"], erased, own=own, kept=is_kept)
                text[name] = {**row[name], "note": note}
        return {**row, **text}
    return row


def _text(text: str | None, erased: Erasure, *, own: bool, kept: bool) -> str | None:
    if own or text is None:
        return None
    return text if kept else erased.without(text)
