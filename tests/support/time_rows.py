"""A tenant with time, inserted into the tables, for sums over more time than a test could track."""

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from shared.db.schema import organizations, projects, tenants, time_entries, time_entry_days, users, work_items
from timers.days import elapsed_ms, split
from timers.projects.store import project_key


CREATED_AT = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
TYPES = ("Bug", "Task")


@dataclass(frozen=True)
class WorkSpan:
    """A time entry to add: numbers of person, project and item from 0, start and duration."""

    person: int
    project: int
    item: int
    started_at: dt.datetime
    ms: int


@dataclass(frozen=True)
class DayPart:
    """The part of a span on one day, the unit of a report's sums, computed without the product's statements."""

    person: int
    project: int
    item: int
    date: dt.date
    ms: int
    starts: bool


class TimeTenant:
    """A tenant within one transaction. Items with even numbers are cached, as bugs and tasks in turn."""

    organization = "contoso"

    def __init__(self, tx: sa.Connection, *, people: int, projects_: int, items: int, zone: str) -> None:
        self.tx, self.zone = tx, zone
        new = uuid.uuid4  # noqa: TID251 - tests make their own ids
        made = {"version": 1, "created_at": CREATED_AT, "updated_at": CREATED_AT}
        tenant = {"public_id": new(), "entra_tenant_id": new(), "slug": f"t-{new().hex}", "name": "Contoso", **made}
        tenant |= {
            "organization": "Contoso",
            "plan_kind": "trial",
            "status": "active",
            "time_zone": zone,
            "seats_used": 0,
        }
        self.tenant_id = tx.execute(tenants.insert().returning(tenants.c.id), tenant).scalar_one()
        self.people = [
            self._row(
                users,
                public_id=new(),
                email=f"p{number}@contoso.example",
                display_name=f"Person {number}",
                role="user",
                auth_provider="manual",
                is_active=True,
                **made,
            )
            for number in range(people)
        ]
        self.organization_id = self.add_organization("Contoso")
        self.projects: list[int] = []
        for number in range(projects_):
            self.add_project(f"Project {number}")
        for number in range(0, items, 2):
            about = {
                "type": TYPES[number // 2 % 2],
                "title": f"Item {number}",
                "state": "Active",
                "fetched_at": CREATED_AT,
            }
            self._row(
                work_items,
                organization_id=self.organization_id,
                organization_key="contoso",
                work_item_id=number + 1,
                **about,
            )

    def add_organization(self, name: str) -> int:
        row = {"name": name, "name_key": name.lower(), "is_active": True, "created_at": CREATED_AT}
        return self._row(organizations, public_id=uuid.uuid4(), **row)  # noqa: TID251 - as above

    def add_project(
        self, name: str, *, organization: str = "Contoso", organization_id: int | None = None, as_one: int | None = None
    ) -> None:
        """Adds a project; with `as_one` it is an alias of the project with that number."""
        alias = None if as_one is None else self.projects[as_one]
        of = {"organization_id": organization_id or self.organization_id, "organization": organization}
        of |= {"name": name, "name_key": project_key(organization, name), "alias_of": alias, "joined_to": alias}
        self.projects.append(self._row(projects, public_id=uuid.uuid4(), **of))  # noqa: TID251 - as above

    def add_time(self, work: Iterable[WorkSpan]) -> list[DayPart]:
        """Inserts the entries like stops; returns their parts by day."""
        parts: list[DayPart] = []
        entries, days = [], []
        first = self.tx.execute(sa.select(sa.func.coalesce(sa.func.max(time_entries.c.id), 0))).scalar_one() + 1
        for entry_id, each in enumerate(work, start=first):
            stopped_at = each.started_at + dt.timedelta(milliseconds=each.ms)
            of = {"tenant_id": self.tenant_id, "user_id": self.people[each.person], "work_item_id": each.item + 1}
            of |= {"project_id": self.projects[each.project]}
            entries.append(_entry(entry_id, of, each.started_at, stopped_at, self.zone))
            for number, piece in enumerate(split(each.started_at, stopped_at, ZoneInfo(self.zone))):
                day = {"entry_id": entry_id, "work_date": piece.date, "month_key": piece.month.key}
                days.append({**of, **day, "elapsed_ms": piece.elapsed_ms, "starts_entry": int(number == 0)})
                parts.append(DayPart(each.person, each.project, each.item, piece.date, piece.elapsed_ms, number == 0))
        if entries:
            for table, rows in ((time_entries, entries), (time_entry_days, days)):
                self.tx.execute(table.insert().returning(table.c.tenant_id), rows)  # returning sends rows in batches
        return parts

    def _row(self, table: sa.Table, **values: Any) -> int:  # noqa: ANN401 - of any column
        row = {"tenant_id": self.tenant_id, **values}
        found: int = self.tx.execute(table.insert().returning(table.c.id), row).scalar_one()
        return found


def type_of(item: int) -> str | None:
    return TYPES[item // 2 % 2] if item % 2 == 0 else None


def _entry(
    entry_id: int, of: dict[str, Any], started_at: dt.datetime, stopped_at: dt.datetime, zone: str
) -> dict[str, Any]:
    return {
        **of,
        "id": entry_id,
        "public_id": uuid.UUID(int=entry_id),
        "started_at": started_at,
        "stopped_at": stopped_at,
        "elapsed_ms": elapsed_ms(started_at, stopped_at),
        "time_zone": zone,
        "source": "timer",
        "needs_review": False,
        "version": 1,
        "created_at": stopped_at,
        "updated_at": stopped_at,
    }
