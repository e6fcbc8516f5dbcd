"""One run: the cloud, the fleet and the trouble together, then calm, and everything compared."""

import datetime as dt
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from devcloud.chaos import checks, settle
from devcloud.chaos.client import Stop
from devcloud.chaos.cloud import Cloud, cloud
from devcloud.chaos.driver import Driver, Injection
from devcloud.chaos.explain import Violation
from devcloud.chaos.fleet import Fleet, directories, fleet
from devcloud.chaos.history import History
from devcloud.chaos.processes import answered
from devcloud.chaos.troubles import MOST_OFF, troubles
from devcloud.chaos.worker import PROJECT
from shared.db.engine import make_engine


FOLDER: Final = PROJECT / ".data" / "chaos"
_TICK: Final = 0.2
_WELL_SECONDS: Final = 60.0

Show = Callable[[str, int, float], None]  # what happens, operations done, seconds since the beginning


class NotWell(Exception):
    """The product did not answer again after the trouble had ended."""


@dataclass(frozen=True, slots=True)
class Options:
    """A run ends after so many seconds or operations, whichever comes first."""

    database: str
    seed: int
    seconds: float
    operations: int | None = None
    workers: int = 3
    tenants: int = 4
    people: int = 4


@dataclass
class Result:
    """What was done and what came of it."""

    options: Options
    histories: list[History] = field(default_factory=list)
    injections: list[Injection] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    interrupted: bool = False


def run(options: Options, show: Show) -> Result:
    """Ctrl-C ends the trouble early; what was done until then is compared all the same.

    Raises:
        NotWell, NotReady, NotStarted, NoPostgres: the run proves nothing.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    result = Result(options)
    with tempfile.TemporaryDirectory(prefix="run-", dir=FOLDER) as name:
        _run(options, Path(name), result, show)
    return result


def _run(options: Options, folder: Path, result: Result, show: Show) -> None:
    dice = random.Random(f"{options.seed}:directories")  # noqa: S311 - repeats, hides nothing
    tids = directories(dice, options.tenants)
    stop = Stop(options.operations)
    show("starting", 0, 0.0)
    with cloud(folder, database_name=options.database, workers_count=options.workers, internal=tids) as up:
        crowd = fleet(up, tids, people=options.people, seed=options.seed, stop=Stop(None))
        for each in crowd.people:
            each.stop = stop
        crowd.stop = stop
        result.histories = [each.history for each in crowd.people]
        _work(up, crowd, result, show)
        show("settling", stop.done, result.seconds)
        if not all(answered(base, _WELL_SECONDS) for base in up.bases):
            raise NotWell("a worker does not answer after the trouble ended")
        settled = settle.settle(up, crowd)
        for each in up.workers:
            each.stop()
        show("comparing", stop.done, result.seconds)
        engine = make_engine(up.database.own_url)
        found = checks.check(engine, crowd, settled, off=dt.timedelta(seconds=MOST_OFF))
        engine.dispose()
        result.violations, result.checked = found.violations, found.checked


def _work(up: Cloud, crowd: Fleet, result: Result, show: Show) -> None:
    """The fleet works while one trouble follows another."""
    doing = [""]

    def heard(kind: str) -> None:
        doing[0] = kind

    dice = random.Random(f"{result.options.seed}:troubles")  # noqa: S311 - likewise
    driver = Driver(troubles(up, crowd), dice, heard)
    began = time.monotonic()
    with crowd.working(), driver.running(), suppress(KeyboardInterrupt):
        result.interrupted = True
        while (spent := time.monotonic() - began) < result.options.seconds and not crowd.stop.wait(_TICK):
            show(doing[0], crowd.stop.done, spent)
            if driver.failure is not None or not crowd.is_at_work:
                break
        result.interrupted = False
    result.seconds = time.monotonic() - began
    result.injections = driver.injections
    if crowd.broken:
        raise NotWell(f"a client broke down: {crowd.broken[0]!r}") from crowd.broken[0]
