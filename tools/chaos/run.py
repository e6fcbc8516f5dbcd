"""One run: the test users work during faults, then pending work is drained and everything compared."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from devcloud.emulators.entra.people import temporary_people
from shared.db.statements import limit_statements
from tools.chaos.checks.all import CheckResult, check_run
from tools.chaos.checks.violation import Violation
from tools.chaos.clients.buyer import Buyer
from tools.chaos.clients.fleet import Fleet, RunInconclusive, build_fleet, new_directory_ids
from tools.chaos.clients.history import History
from tools.chaos.clients.http import StopCondition
from tools.chaos.cloud.clocks import ClockOffsets
from tools.chaos.cloud.cloud import Cloud, start_cloud
from tools.chaos.cloud.processes import is_healthy_within
from tools.chaos.cloud.worker import PROJECT
from tools.chaos.drain import FinalState, build_later_app, drain
from tools.chaos.faults.catalog import build_faults
from tools.chaos.faults.driver import FaultDriver, Injection


FOLDER: Final = PROJECT / ".data" / "chaos"
_TICK: Final = 0.2
_HEALTH_SECONDS: Final = 60.0

Show = Callable[[str, int, float], None]  # step, number of operations, seconds since the start


@dataclass(frozen=True, slots=True)
class ChaosOptions:
    """A run ends after so many seconds or operations; `folder` has its databases and logs meanwhile."""

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
class ChaosResult:
    """The result of a run; `affects` has the counted thing of every kind of fault."""

    options: ChaosOptions
    affects: dict[str, str] = field(default_factory=dict)
    histories: list[History] = field(default_factory=list)
    injections: list[Injection] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    interrupted: bool = False
    lacks_disk: bool = False  # no disk could be mounted, so none was filled

    @property
    def had_effect(self) -> bool:
        """Whether any fault had an effect; otherwise the run proves nothing."""
        return any(each.affected for each in self.injections)


@dataclass(frozen=True)
class DrainedRun:
    """The state after faults and drain: the workers have ended, the data can be compared."""

    cloud: Cloud
    fleet: Fleet
    final: FinalState
    clocks: ClockOffsets
    engine: sa.Engine

    def check(self, tx: sa.Connection) -> CheckResult:
        """Compares everything; violations found during the faults come first."""
        checked = check_run(tx, self.cloud, self.fleet, self.final, self.clocks)
        return CheckResult([*self.fleet.violations, *checked.violations], checked.checked)


def run(options: ChaosOptions, show: Show) -> ChaosResult:
    """Runs and compares; Ctrl-C ends the faults early.

    Raises:
        RunInconclusive, FleetNotReady, ProcessNotStarted, NoPostgres: the run proves nothing.
    """
    result = ChaosResult(options)
    with run_until_drained(result, show) as drained, drained.engine.connect().execution_options(reads_only=True) as tx:
        show("comparing", drained.fleet.stop.done, result.seconds)
        limit_statements(tx, 0)  # checks may take long
        checked = drained.check(tx)
        result.violations, result.checked = checked.violations, checked.checked
    return result


@contextmanager
def run_until_drained(result: ChaosResult, show: Show) -> Iterator[DrainedRun]:
    """Runs the faults and the drain; the state is available for the duration of the context.

    Raises:
        RunInconclusive, FleetNotReady, ProcessNotStarted, NoPostgres: as `run`.
    """
    options = result.options
    options.folder.mkdir(parents=True, exist_ok=True)
    show("starting", 0, 0.0)
    rng = random.Random(f"{options.seed}:directories")  # noqa: S311 - repeatable, no secret
    tids = new_directory_ids(rng, options.tenants)
    with ExitStack() as stack:
        stack.enter_context(temporary_people())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=options.folder)))
        cloud = stack.enter_context(
            start_cloud(folder, database_name=options.database, workers_count=options.workers, internal=tids)
        )
        result.lacks_disk = cloud.database.server is None and cloud.database.disk is None
        stop = StopCondition(options.operations)
        fleet = build_fleet(cloud, tids, people=options.people, seed=options.seed, stop=stop)
        stack.callback(fleet.close)
        fleet.buyers = [
            Buyer(f"b{number}", cloud, random.Random(f"{options.seed}:buyer {number}"), stop)  # noqa: S311 - likewise
            for number in range(options.buyers)
        ]
        _run_fleet(cloud, fleet, result, show)
        show("draining", stop.done, result.seconds)
        if not all(is_healthy_within(base, _HEALTH_SECONDS) for base in cloud.bases):
            raise RunInconclusive("a worker does not respond after the last fault")
        app = stack.enter_context(build_later_app(cloud))
        final = drain(cloud, fleet, app)
        for each in cloud.workers:
            each.stop()
        clocks = ClockOffsets.of(result.injections, drained_from=final.began_at)
        yield DrainedRun(cloud, fleet, final, clocks, app.engine)


def _run_fleet(cloud: Cloud, fleet: Fleet, result: ChaosResult, show: Show) -> None:
    """The test users work while faults are injected."""
    current = [""]

    def report(kind: str) -> None:
        current[0] = kind

    rng = random.Random(f"{result.options.seed}:faults")  # noqa: S311 - likewise
    faults = build_faults(cloud, fleet)
    result.affects = {each.kind: each.affects for each in faults}
    driver = FaultDriver(faults, rng, report)
    started = time.monotonic()
    with fleet.working(), driver.running(), suppress(KeyboardInterrupt):
        result.interrupted = True
        while (elapsed := time.monotonic() - started) < result.options.seconds and not fleet.stop.wait(_TICK):
            show(current[0], fleet.stop.done, elapsed)
            if driver.failure is not None or not fleet.is_working:
                break
        result.interrupted = False
    result.seconds = time.monotonic() - started
    result.injections, result.histories = driver.injections, [each.history for each in fleet.all_people]
    if fleet.errors:
        raise RunInconclusive(f"a client failed: {fleet.errors[0]!r}") from fleet.errors[0]
