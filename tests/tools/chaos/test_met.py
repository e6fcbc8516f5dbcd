"""Trouble that meets nobody counts as none, and the report says which that was, and which kinds had no turn."""

import datetime as dt
import random
import sqlite3
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest

from devcloud.emulators.faults import Faults
from shared import clock
from tools.chaos import report
from tools.chaos.clients.history import History
from tools.chaos.cloud import databases
from tools.chaos.cloud.databases import Database
from tools.chaos.cloud.processes import Worker
from tools.chaos.faults.catalogue import troubles
from tools.chaos.faults.driver import Injection
from tools.chaos.run import Options, Result


class Shop:
    """The stand-in for the Marketplace, as far as its faults go."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.admin = SimpleNamespace(order_faults=self.faults.order)


@pytest.fixture
def cloud(tmp_path) -> Any:  # noqa: ANN401 - the parts of a cloud that trouble is made with
    url = f"sqlite:///{tmp_path}/kept.db"
    workers = [Worker("worker-1", tmp_path, {}), Worker("worker-2", tmp_path, {})]
    for each in workers:
        each.log.write_text("")
    return SimpleNamespace(
        database=Database("sqlite", url, url, disk=tmp_path),
        workers=workers,
        marketplace=Shop(),
        entra=SimpleNamespace(faults=Faults()),
        azure_devops=SimpleNamespace(workspace=SimpleNamespace(faults=Faults())),
    )


def begun(cloud: Any, kind: str):  # noqa: ANN401 - as above
    """Its end, once it has begun."""
    fleet: Any = None
    [trouble] = [each for each in troubles(cloud, fleet) if each.kind == kind]
    return trouble.begin(random.Random(1))  # noqa: S311 - repeats


def test_faults_of_a_stand_in_have_met_the_requests_to_what_failed_and_no_others(cloud):
    devops, shop, entra = cloud.azure_devops.workspace.faults, cloud.marketplace.faults, cloud.entra.faults
    nobody = [begun(cloud, kind)() for kind in ("Azure DevOps in trouble", "Marketplace in trouble")]
    ends = [begun(cloud, kind) for kind in ("Azure DevOps in trouble", "Marketplace in trouble")]
    faulty = [(faults, name) for faults in (devops, shop, entra) for name in list(faults._faults)]
    for faults, name in faulty:
        del faults._faults[name]  # so that no request waits; it is counted all the same
        faults.meet(name)
        faults.meet("something else")
    met = [end() for end in ends]

    assert nobody == [0, 0]
    assert sum(met) == len(faulty) > 0


def test_a_lock_that_others_hold_was_held_in_vain(cloud, monkeypatch):
    held = begun(cloud, "write lock held")()
    monkeypatch.setattr(databases, "LOCK_WAIT_SECONDS", 0.1)
    with closing(sqlite3.connect(cloud.database.disk / "kept.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        in_vain = begun(cloud, "write lock held")()

    assert (held, in_vain) == (1, 0)


def test_a_full_disk_has_met_the_requests_that_failed_meanwhile(cloud, monkeypatch):
    monkeypatch.setattr(Database, "fill_disk", lambda _self: None)
    cloud.workers[0].log.write_text('{"event": "request_failed"}\n')
    nobody = begun(cloud, "disk full")()
    end = begun(cloud, "disk full")
    cloud.workers[1].log.write_text('{"event": "request_failed"}\n{"event": "request_refused"}\n')

    assert (nobody, end()) == (0, 1)


def test_clocks_that_nobody_looks_at_have_met_nothing(cloud):
    nobody = begun(cloud, "clocks stepped")()
    end = begun(cloud, "clocks stepped")
    for each in cloud.workers:
        each.clocks.now()
        each.clocks.now()

    assert nobody == 0
    assert end() in {2, 4}  # one worker's, or both


def test_workers_that_were_dead_already_are_not_killed(cloud):
    assert [each.kill() for each in cloud.workers] == [False, False]


def result(*met: tuple[str, int]) -> Result:
    now = clock.now()
    injections = [Injection(kind, now, now + dt.timedelta(seconds=1), number) for kind, number in met]
    meets = {"hole": "packets", "cut": "connections", "lost": "COMMITs"}
    return Result(Options("sqlite", 1, 60.0), meets, [History("tid", "oid")], injections)


def test_the_report_shows_what_had_no_turn_and_what_met_nobody():
    told = result(("hole", 7), ("cut", 0), ("hole", 0))
    written = report.page([told], written=clock.now().date())

    assert report.headline(told).endswith("3 times trouble; 0 violations. HAD NO TURN: lost. MET NOBODY: cut.")
    assert "| cut | 1 | 1 | 0 | connections | run ended | run ended | run ended | run ended |" in written
    assert "| hole | 2 | 1 | 7 | packets |" in written
    assert "| lost | 0 | 0 | 0 | COMMITs | - | - | - | - |" in written


def test_a_run_whose_every_trouble_met_somebody_has_nothing_more_to_say():
    assert report.headline(result(("hole", 7), ("cut", 1), ("lost", 2), ("lost", 0))).endswith("0 violations.")


@pytest.mark.parametrize("done", [(), (("cut", 0), ("hole", 0))])
def test_a_run_that_met_nothing_proves_nothing(done):
    told = result(*done)

    assert not told.met_trouble
    assert "THIS PROVES NOTHING" in report.headline(told)
