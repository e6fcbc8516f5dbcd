"""The fault driver: injects one fault after another, in an order by the seed, with pauses between them."""

import datetime as dt
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from shared import clock
from tools.chaos.clients.fleet import RunInconclusive
from tools.chaos.faults.fault import FaultKind


PAUSE_SECONDS: Final = (0.3, 1.5)
_END_SECONDS: Final = 90.0


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault: its kind, its duration including the repair, and the affected count."""

    kind: str
    began_at: dt.datetime
    ended_at: dt.datetime
    affected: int = 0


@dataclass
class FaultDriver:
    """Injects every kind once before any kind again; `pause` is the range of seconds between two faults."""

    faults: Sequence[FaultKind]
    rng: random.Random
    report: Callable[[str], None]
    pause: tuple[float, float] = PAUSE_SECONDS
    injections: list[Injection] = field(default_factory=list)
    failure: BaseException | None = None
    end_seconds: float = _END_SECONDS
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Injects faults until the block ends; then no fault is active.

        Raises:
            RunInconclusive: the last fault does not end.
            Exception: a fault could not be started or ended.
        """
        thread = threading.Thread(target=self._run, name="driver", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(self.end_seconds)
        if thread.is_alive():
            raise RunInconclusive(f"the last fault did not end within {self.end_seconds:.0f} seconds")
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            for fault in self._order():
                if self._over.wait(self.rng.uniform(*self.pause)):
                    return
                self._inject(fault)
        except BaseException as error:  # noqa: BLE001 - raised in `running`
            self.failure = error

    def _order(self) -> Iterator[FaultKind]:
        while True:
            yield from self.rng.sample(self.faults, len(self.faults))

    def _inject(self, fault: FaultKind) -> None:
        self.report(fault.kind)
        began = clock.now()
        end = fault.begin(self.rng)
        try:
            self._over.wait(self.rng.uniform(fault.min_seconds, fault.max_seconds))
        finally:
            affected = end()
        self.injections.append(Injection(fault.kind, began, clock.now(), affected))
        self.report("")
