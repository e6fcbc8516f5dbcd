"""One run: the cloud, the fleet and the trouble together, then calm, and everything compared."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from devcloud.emulators.entra.people import newcomers
from shared.db.statements import limit_statements
from tools.chaos.checks.all import Found, check
from tools.chaos.checks.drain import Settled, minutes_later, settle
from tools.chaos.checks.violation import Violation
from tools.chaos.clients.buyer import Buyer
from tools.chaos.clients.fleet import Fleet, NotWell, directories, fleet
from tools.chaos.clients.history import History
from tools.chaos.clients.http import Stop
from tools.chaos.cloud.clocks import Clocks
from tools.chaos.cloud.cloud import Cloud, cloud
from tools.chaos.cloud.processes import answered
from tools.chaos.cloud.worker import PROJECT
from tools.chaos.faults.catalogue import troubles
from tools.chaos.faults.driver import Driver, Injection


FOLDER: Final = PROJECT / ".data" / "chaos"
_TICK: Final = 0.2
_WELL_SECONDS: Final = 60.0

Show = Callable[[str, int, float], None]  # what happens, operations done, seconds since the beginning


@dataclass(frozen=True, slots=True)
class Options:
    """A run ends after so many seconds or operations, whichever comes first; `folder` is where it works meanwhile."""

    database: str
    seed: int
    seconds: float
    operations: int | None = None
    workers: int = 3
    tenants: int = 4
    people: int = 4
    buyers: int = 2
    folder: Path = FOLDER


@dataclass
class Result:
    """What was done and what came of it; `meets` has every kind of trouble there is, and what it is to meet."""

    options: Options
    meets: dict[str, str] = field(default_factory=dict)
    histories: list[History] = field(default_factory=list)
    injections: list[Injection] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    interrupted: bool = False
    lacks_disk: bool = False  # there was none of its own to be filled

    @property
    def met_trouble(self) -> bool:
        """Whether any trouble met anybody; without that the run proves nothing."""
        return any(each.met for each in self.injections)


@dataclass(frozen=True)
class Rested:
    """The product after its trouble: everything owed is carried out, the workers have ended, the data is there."""

    cloud: Cloud
    fleet: Fleet
    settled: Settled
    clocks: Clocks
    engine: sa.Engine

    def check(self, tx: sa.Connection) -> Found:
        """Compares everything; what was seen to be wrong during the trouble comes first."""
        found = check(tx, self.cloud, self.fleet, self.settled, self.clocks)
        return Found([*self.fleet.seen, *found.violations], found.checked)


def run(options: Options, show: Show) -> Result:
    """Ctrl-C ends the trouble early; what was done until then is compared all the same.

    Raises:
        NotWell, NotReady, NotStarted, NoPostgres: the run proves nothing.
    """
    result = Result(options)
    with rested(result, show) as left, left.engine.connect().execution_options(reads_only=True) as tx:
        show("comparing", left.fleet.stop.done, result.seconds)
        limit_statements(tx, 0)  # a sweep that goes on for long is to be seen, not to be ended
        found = left.check(tx)
        result.violations, result.checked = found.violations, found.checked
    return result


@contextmanager
def rested(result: Result, show: Show) -> Iterator[Rested]:
    """The trouble, and then what it has left, for as long as the context lasts.

    Raises:
        NotWell, NotReady, NotStarted, NoPostgres: as of `run`.
    """
    options = result.options
    options.folder.mkdir(parents=True, exist_ok=True)
    show("starting", 0, 0.0)
    dice = random.Random(f"{options.seed}:directories")  # noqa: S311 - repeats, hides nothing
    tids = directories(dice, options.tenants)
    with ExitStack() as stack:
        stack.enter_context(newcomers())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=options.folder)))
        up = stack.enter_context(
            cloud(folder, database_name=options.database, workers_count=options.workers, internal=tids)
        )
        result.lacks_disk = up.database.server is None and up.database.disk is None
        stop = Stop(options.operations)
        crowd = fleet(up, tids, people=options.people, seed=options.seed, stop=stop)
        stack.callback(crowd.close)
        crowd.buyers = [
            Buyer(f"b{number}", up, random.Random(f"{options.seed}:buyer {number}"), stop)  # noqa: S311 - likewise
            for number in range(options.buyers)
        ]
        _work(up, crowd, result, show)
        show("settling", stop.done, result.seconds)
        if not all(answered(base, _WELL_SECONDS) for base in up.bases):
            raise NotWell("a worker does not answer after the trouble has ended")
        app = stack.enter_context(minutes_later(up))
        settled = settle(up, crowd, app)
        for each in up.workers:
            each.stop()
        clocks = Clocks.of(result.injections, settled_from=settled.began_at)
        yield Rested(up, crowd, settled, clocks, app.engine)


def _work(up: Cloud, crowd: Fleet, result: Result, show: Show) -> None:
    """The fleet works while one trouble follows another."""
    doing = [""]

    def heard(kind: str) -> None:
        doing[0] = kind

    dice = random.Random(f"{result.options.seed}:troubles")  # noqa: S311 - likewise
    possible = troubles(up, crowd)
    result.meets = {each.kind: each.meets for each in possible}
    driver = Driver(possible, dice, heard)
    began = time.monotonic()
    with crowd.working(), driver.running(), suppress(KeyboardInterrupt):
        result.interrupted = True
        while (spent := time.monotonic() - began) < result.options.seconds and not crowd.stop.wait(_TICK):
            show(doing[0], crowd.stop.done, spent)
            if driver.failure is not None or not crowd.is_at_work:
                break
        result.interrupted = False
    result.seconds = time.monotonic() - began
    result.injections, result.histories = driver.injections, [each.history for each in crowd.everybody]
    if crowd.broken:
        raise NotWell(f"a client broke down: {crowd.broken[0]!r}") from crowd.broken[0]
