"""Late events of an offline client, and the entries that they must yield."""

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from shared.db.schema import running_timers, time_entries, timer_log, users
from tests.support.world import WORK_ITEM, Answer, Person, new_id


MS, MINUTE, HOUR = dt.timedelta(milliseconds=1), dt.timedelta(minutes=1), dt.timedelta(hours=1)
ENDED, SWITCHED, RUNS = "ended", "switched", "runs"


def iso(at: dt.datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def start(person: Person, at: dt.datetime | None, *, key: str | None = None, **more: Any) -> Answer:  # noqa: ANN401
    """A start, with its instant if it has one."""
    return person.post("timers/start", {**WORK_ITEM, **({} if at is None else {"startedAt": iso(at)}), **more}, key=key)


def stop(person: Person, at: dt.datetime | None = None, *, key: str | None = None, **more: Any) -> Answer:  # noqa: ANN401
    """A stop, with its instant if it has one."""
    return person.post("timers/stop", {**({} if at is None else {"stoppedAt": iso(at)}), **more}, key=key)


def rows(engine: sa.Engine, table: sa.Table, person: Person) -> list[Any]:
    """A person's rows, by insertion."""
    mine = sa.select(users.c.id).where(users.c.entra_object_id == uuid.UUID(person.oid))
    with engine.connect() as connection:
        return list(connection.execute(sa.select(table).where(table.c.user_id.in_(mine)).order_by(table.c.id)))


@dataclass(frozen=True)
class LateEvent:
    """One event of a device, with its own key for all repeats."""

    kind: str
    timer: str
    at: dt.datetime
    switch: bool = False
    key: str = field(default_factory=new_id)

    def send(self, person: Person) -> Answer:
        if self.kind == "stop":
            return stop(person, self.at, key=self.key, timerId=self.timer)
        number = int(self.timer[:4], 16) + 1
        return start(person, self.at, key=self.key, timerId=self.timer, switch=self.switch, workItemId=number)


@dataclass(frozen=True)
class Timer:
    """A timer as it really ran; `way` is ENDED, SWITCHED or RUNS."""

    id: str
    started_at: dt.datetime
    stopped_at: dt.datetime | None
    way: str


def events_of(timers: list[Timer]) -> Iterator[LateEvent]:
    for before, timer in zip([None, *timers], timers, strict=False):
        yield LateEvent("start", timer.id, timer.started_at, switch=before is not None and before.way == SWITCHED)
        if timer.way == ENDED:
            assert timer.stopped_at is not None
            yield LateEvent("stop", timer.id, timer.stopped_at)


def assert_entries(engine: sa.Engine, person: Person, timers: list[Timer], events: list[LateEvent]) -> None:
    """The entries equal the real times to the millisecond, and the log has every event."""
    stored = {(str(row.public_id), row.started_at, row.stopped_at) for row in rows(engine, time_entries, person)}
    running = {(str(row.public_id), row.started_at) for row in rows(engine, running_timers, person)}
    inferred = {str(row.public_id) for row in rows(engine, time_entries, person) if row.end_inferred}
    logged = rows(engine, timer_log, person)
    starts = [(str(row.timer_id), row.happened_at) for row in logged if row.event == "started"]
    ends = {(str(row.timer_id), row.happened_at) for row in logged if row.event in {"stopped", "corrected"}}

    assert stored == {(each.id, each.started_at, each.stopped_at) for each in timers if each.stopped_at is not None}
    assert running == {(each.id, each.started_at) for each in timers if each.way == RUNS}
    assert inferred == {each.id for each in timers if each.way == SWITCHED}
    assert not any(row.needs_review for row in rows(engine, time_entries, person))
    assert sorted(starts) == sorted((each.timer, each.at) for each in events if each.kind == "start")
    assert ends >= {(each.timer, each.at) for each in events if each.kind == "stop"}
