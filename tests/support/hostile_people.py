"""People of one organization who may do anything that they are allowed to, in any order; and what must then be so.

`HostilePeople` has the people and the checks. Steps are rules in classes of their own, which a test puts together:
`class Machine(Renaming, Purchases, HostilePeople)`. A step of one person runs inside `self.harming_nobody(person)`.
"""

import datetime as dt
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition

from privacy import flow_erasure, store_requests
from shared.app import App
from shared.db.schema import (
    audit_log,
    billing_lines,
    kept_mentions,
    organizations,
    running_timers,
    tenants,
    time_entries,
    time_entry_days,
    timer_log,
    users,
    work_items,
)
from shared.invariants import violations
from tests.support.exports import export
from tests.support.hostile import DIRECTORY_NAMES, NAMES
from tests.support.world import FakeClock, Person, World


WHO = st.integers(0, 3)
TEXT = st.integers(0, 2)  # of the few that an example has, so that names meet the notes of others
DAYS_OF_AN_ERASURE = 3
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
_TEXT = ("note", "reason")
_DOCUMENTS = ("before_change", "after_change")
Rows = dict[tuple[str, Any], dict[str, Any]]


@dataclass
class Erased:
    """Somebody just before their erasure: by what the text of others may name them."""

    row: int
    name: str | None
    addresses: tuple[str, ...]
    kept: set[tuple[str, int]]
    pseudonym: str = ""

    def without(self, text: str) -> str:
        for mention in (*self.addresses, *([] if self.name is None or " " not in self.name else [self.name])):
            text = re.sub(rf"(?<!\S){re.escape(mention)}(?!\S)", self.pseudonym, text)
        return text


class HostilePeople(RuleBasedStateMachine):
    """Ada is the super admin, Ben an admin, Mal a user, Eve a guest; each may be somebody else after an erasure."""

    def __init__(self, app: App, world: World, clock: FakeClock, engine: sa.Engine) -> None:
        super().__init__()
        self.app, self.world, self.clock, self.engine = app, world, clock, engine

    @initialize(
        names=st.permutations(DIRECTORY_NAMES),
        texts=st.lists(st.sampled_from(NAMES), min_size=3, max_size=3, unique=True),
    )
    def an_organization(self, names: list[str], texts: list[str]) -> None:
        self.texts = texts
        ada = self.world.tenant()
        others = [
            self.world.member(ada, name=name, **more) for name, more in zip(names, ({}, {}, {"acct": 1}), strict=True)
        ]
        self.people = [ada, *others]
        oids = [uuid.UUID(each.oid) for each in self.people]
        with self.engine.begin() as tx:
            of_directory = tenants.c.entra_tenant_id == uuid.UUID(ada.tid)
            self.tenant_id = int(tx.execute(sa.select(tenants.c.id).where(of_directory)).scalar_one())
            years = {"trial_ends_at": self.clock() + dt.timedelta(days=3650)}
            tx.execute(tenants.update().where(of_directory).values(**years))
            tx.execute(users.update().where(users.c.entra_object_id == oids[1]).values(role="admin"))
            organization = tx.scalar(sa.select(organizations.c.id).where(organizations.c.tenant_id == self.tenant_id))
            for number, name in enumerate(names, 501):
                item = {"tenant_id": self.tenant_id, "organization_id": organization, "organization_key": "contoso"}
                item |= {"work_item_id": number, "type": "Bug", "title": "A title", "state": "Active"}
                tx.execute(work_items.insert(), {**item, "assignee_name": name, "fetched_at": self.clock()})
        self.stopped: set[int] = set()

    def again(self, who: int) -> Person:
        """One of the four, who signs in; after an erasure as somebody new."""
        person = self.world.again(self.people[who])
        signed_in = person.post("sign-in")
        assert signed_in.status == 200, signed_in.raw
        self.people[who] = person
        return person

    def ids(self) -> dict[str, int]:
        """The accounts by their ids on the wire."""
        with self.engine.connect() as tx:
            rows = tx.execute(sa.select(users.c.public_id, users.c.id).where(users.c.tenant_id == self.tenant_id))
            return {str(row.public_id): row.id for row in rows}

    def row_of(self, person: Person) -> int:
        with self.engine.connect() as tx:
            own = users.c.entra_object_id == uuid.UUID(person.oid)
            of_tenant = users.c.tenant_id == self.tenant_id
            return int(tx.execute(sa.select(users.c.id).where(own, of_tenant)).scalar_one())

    def rows(self) -> Rows:
        """What is on record of the organization."""
        found: Rows = {}
        with self.engine.connect() as tx:
            for table in _TABLES:
                for row in tx.execute(sa.select(table).where(table.c.tenant_id == self.tenant_id)).mappings():
                    key = tuple(row[column.name] for column in table.primary_key.columns)
                    found[table.name, key] = dict(row)
        return found

    @contextmanager
    def harming_nobody(self, person: Person) -> Iterator[None]:
        """A step of one person, in which nothing that was on record changes but their own account and timer."""
        own, before = self.row_of(person), self.rows()
        yield
        after = self.rows()
        for (table, key), row in before.items():
            if (table, row.get("id")) == ("users", own) or (table, row.get("user_id")) == ("running_timers", own):
                continue
            assert after.get((table, key)) == row, (table, key)

    def carry_out(self) -> None:
        """Carries out what is due, and holds each change to the rules of an erasure."""
        before, erased = self.rows(), self._due()
        flow_erasure.carry_out_due(self.app)
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
            if expected is not None and not (table == "running_timers" and not found):
                assert {name: found.get(name) for name in expected} == expected, (table, key)

    def _due(self) -> list[Erased]:
        """Those who are erased next, in their order, each as the others are called by then."""
        with self.engine.connect() as tx:
            found = [id_ for tenant, id_ in store_requests.due(tx, self.clock()) if tenant == self.tenant_id]
            requests = [store_requests.find(tx, self.tenant_id, each) for each in found]
            subjects = [each.subject_user_id for each in requests if each is not None and each.subject_user_id]
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
            erased.append(Erased(subject, name, addresses, stay))
        return erased

    def everybody_reads_everything(self) -> None:
        """Each page and each export of everybody is answered, and the invariants hold."""
        for who in range(len(self.people)):
            person = self.again(who)
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
            assert list(violations(tx)) == []

    @invariant()
    @precondition(lambda self: hasattr(self, "people"))
    def totals_are_those_of_the_log(self) -> None:
        """By the rows themselves: an hour that is in no entry any more would be in the log alone."""
        with self.engine.connect() as tx:
            total = sa.func.coalesce(sa.func.sum(time_entries.c.elapsed_ms), 0)
            found = tx.scalar(sa.select(total).where(time_entries.c.tenant_id == self.tenant_id))
            ends = (timer_log.c.tenant_id == self.tenant_id, timer_log.c.event.in_(("stopped", "entered")))
            logged = tx.scalar(sa.select(sa.func.coalesce(sa.func.sum(timer_log.c.elapsed_ms), 0)).where(*ends))
        assert found == logged

    def teardown(self) -> None:
        if hasattr(self, "people"):
            self.everybody_reads_everything()


def _after_erasure(table: str, row: dict[str, Any] | None, erased: Erased) -> dict[str, Any] | None:
    """How a row is to be after somebody's erasure; None where it may be anything."""
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


def _text(text: str | None, erased: Erased, *, own: bool, kept: bool) -> str | None:
    if own or text is None:
        return None
    return text if kept else erased.without(text)
