"""Acknowledged responses and stored data, which must agree to the millisecond."""

import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from function_app import INVARIANTS
from shared.db.schema import running_timers, tenants, time_entries, timer_log, users
from shared.health.invariants import Violation, find_violations
from tests.support.world import Answer


@dataclass
class AcknowledgedTime:
    """The acknowledged starts and stops of clients."""

    started: Counter[str] = field(default_factory=Counter)
    ended: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, answer: Answer) -> None:
        """Records the starts and stops that a response acknowledges."""
        with self._lock:
            if answer.status == 201:
                self.started[answer.body["id"]] += 1
                self._end(answer.body.get("stopped"))
            elif answer.status == 200 and "stoppedAt" in answer.body:
                self._end(answer.body)

    def _end(self, entry: dict[str, Any] | None) -> None:
        if entry is not None:
            assert entry["id"] not in self.ended, "one timer ended twice"
            self.ended[entry["id"]] = entry["elapsedMs"]


@dataclass(frozen=True)
class StoredTime:
    """The stored time of directories."""

    started: Counter[str]
    stopped: dict[str, int]
    entries: dict[str, int]
    running: list[str]

    @classmethod
    def of(cls, engine: sa.Engine, *tids: str) -> "StoredTime":
        with _reading(engine) as tx:
            logged = tx.execute(_of(timer_log, tids, timer_log.c.timer_id, timer_log.c.event, timer_log.c.elapsed_ms))
            rows = [(str(row.timer_id), row.event, row.elapsed_ms) for row in logged]
            entries = tx.execute(_of(time_entries, tids, time_entries.c.public_id, time_entries.c.elapsed_ms))
            return cls(
                Counter(timer for timer, event, _ in rows if event == "started"),
                {timer: elapsed for timer, event, elapsed in rows if event == "stopped"},
                {str(row.public_id): row.elapsed_ms for row in entries},
                [str(timer) for timer in tx.scalars(_of(running_timers, tids, running_timers.c.public_id))],
            )


def seats(engine: sa.Engine, tid: str) -> tuple[int, int]:
    """The counted seats and the accounts of a tenant."""
    with _reading(engine) as tx:
        used = tx.execute(
            sa.select(tenants.c.seats_used).where(tenants.c.entra_tenant_id == uuid.UUID(tid))
        ).scalar_one()
        return used, tx.execute(_of(users, (tid,), sa.func.count())).scalar_one()


def addresses(engine: sa.Engine, tid: str) -> list[str]:
    """The shown e-mail addresses of people in a directory."""
    with _reading(engine) as tx:
        return sorted(tx.scalars(_of(users, (tid,), users.c.email)))


def violations(engine: sa.Engine) -> list[Violation]:
    with _reading(engine) as tx:
        return list(find_violations(tx, INVARIANTS))


@contextmanager
def watch_invariants(engine: sa.Engine) -> Iterator[list[Violation]]:
    """Checks the invariants repeatedly during changes; yields the violations."""
    found: list[Violation] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            found.extend(violations(engine))

    watching = threading.Thread(target=watch, name="watch")
    watching.start()
    try:
        yield found
    finally:
        over.set()
        watching.join()


def _reading(engine: sa.Engine) -> sa.Connection:
    """A connection without locks."""
    return engine.connect().execution_options(reads_only=True)


def _of(table: sa.Table, tids: tuple[str, ...], *columns: Any) -> sa.Select[Any]:  # noqa: ANN401 - of any type
    return (
        sa.select(*columns)
        .select_from(table)
        .join(tenants, tenants.c.id == table.c.tenant_id)
        .where(tenants.c.entra_tenant_id.in_([uuid.UUID(tid) for tid in tids]))
    )
