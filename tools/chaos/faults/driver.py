"""The fault driver: one trouble after another, in an order that the seed decides, with calm between them."""

import datetime as dt
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from shared import clock
from tools.chaos.clients.fleet import NotWell
from tools.chaos.faults.fault import Trouble


CALM: Final = (0.3, 1.5)
_END_SECONDS: Final = 90.0


@dataclass(frozen=True, slots=True)
class Injection:
    """One trouble, from its beginning until everything was put right again, and how much of its kind it met."""

    kind: str
    began_at: dt.datetime
    ended_at: dt.datetime
    met: int = 0


@dataclass
class Driver:
    """Every kind has its turn before any has its second; `calm` is the least and the most seconds between two."""

    troubles: Sequence[Trouble]
    dice: random.Random
    heard: Callable[[str], None]
    calm: tuple[float, float] = CALM
    injections: list[Injection] = field(default_factory=list)
    failure: BaseException | None = None
    end_seconds: float = _END_SECONDS
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Makes trouble until the block ends; then nothing is broken any more.

        Raises:
            NotWell: the last trouble does not end.
            Exception: a trouble could not be made or ended; the run proves nothing.
        """
        thread = threading.Thread(target=self._run, name="driver", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(self.end_seconds)
        if thread.is_alive():
            raise NotWell(f"the last trouble did not end within {self.end_seconds:.0f} seconds")
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            for trouble in self._order():
                if self._over.wait(self.dice.uniform(*self.calm)):
                    return
                self._inject(trouble)
        except BaseException as error:  # noqa: BLE001 - told to whoever waits for the thread
            self.failure = error

    def _order(self) -> Iterator[Trouble]:
        while True:
            yield from self.dice.sample(self.troubles, len(self.troubles))

    def _inject(self, trouble: Trouble) -> None:
        self.heard(trouble.kind)
        began = clock.now()
        end = trouble.begin(self.dice)
        try:
            self._over.wait(self.dice.uniform(trouble.least, trouble.most))
        finally:
            met = end()
        self.injections.append(Injection(trouble.kind, began, clock.now(), met))
        self.heard("")
