"""Each fault counts the things that it affects; the report names faults without effect and missing faults."""

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
from tools.chaos.faults.catalog import build_faults
from tools.chaos.faults.driver import Injection
from tools.chaos.run import ChaosOptions, ChaosResult


class MarketplaceFaults:
    """The faults of the Marketplace emulator."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.admin = SimpleNamespace(set_faults=self.faults.set)


@pytest.fixture
def cloud(tmp_path) -> Any:  # noqa: ANN401 - the parts of a cloud with faults
    url = f"sqlite:///{tmp_path}/kept.db"
    workers = [Worker("worker-1", tmp_path, {}), Worker("worker-2", tmp_path, {})]
    for each in workers:
        each.log.write_text("")
    return SimpleNamespace(
        database=Database("sqlite", url, url, disk=tmp_path),
        workers=workers,
        marketplace=MarketplaceFaults(),
        entra=SimpleNamespace(faults=Faults()),
        azure_devops=SimpleNamespace(workspace=SimpleNamespace(faults=Faults())),
    )


def begin_fault(cloud: Any, kind: str):  # noqa: ANN401 - as above
    """Begins a fault; returns the function that ends it."""
    fleet: Any = None
    [fault] = [each for each in build_faults(cloud, fleet) if each.kind == kind]
    return fault.begin(random.Random(1))  # noqa: S311 - repeats


def test_emulator_faults_count_requests_to_failing_endpoints_only(cloud):
    azure_devops, marketplace, entra = cloud.azure_devops.workspace.faults, cloud.marketplace.faults, cloud.entra.faults
    unaffected = [begin_fault(cloud, kind)() for kind in ("Azure DevOps failing", "Marketplace failing")]
    ends = [begin_fault(cloud, kind) for kind in ("Azure DevOps failing", "Marketplace failing")]
    faulty = [(faults, name) for faults in (azure_devops, marketplace, entra) for name in list(faults._faults)]
    for faults, name in faulty:
        del faults._faults[name]  # so that no request waits; the request still counts
        faults.apply(name)
        faults.apply("something else")
    affected = [end() for end in ends]

    assert unaffected == [0, 0]
    assert sum(affected) == len(faulty) > 0


def test_a_write_lock_held_by_others_has_no_effect(cloud, monkeypatch):
    acquired = begin_fault(cloud, "write lock held")()
    monkeypatch.setattr(databases, "LOCK_WAIT_SECONDS", 0.1)
    with closing(sqlite3.connect(cloud.database.disk / "kept.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        not_acquired = begin_fault(cloud, "write lock held")()

    assert (acquired, not_acquired) == (1, 0)


def test_a_full_disk_counts_the_requests_that_failed_during_the_fault(cloud, monkeypatch):
    monkeypatch.setattr(Database, "fill_disk", lambda _self: None)
    cloud.workers[0].log.write_text('{"event": "request_failed"}\n')
    unaffected = begin_fault(cloud, "disk full")()
    end = begin_fault(cloud, "disk full")
    cloud.workers[1].log.write_text('{"event": "request_failed"}\n{"event": "request_refused"}\n')

    assert (unaffected, end()) == (0, 1)


def test_clock_offsets_without_reads_have_no_effect(cloud):
    unaffected = begin_fault(cloud, "clocks stepped")()
    end = begin_fault(cloud, "clocks stepped")
    for each in cloud.workers:
        each.clocks.now()
        each.clocks.now()

    assert unaffected == 0
    assert end() in {2, 4}  # one worker's, or both


def test_workers_that_are_not_running_are_not_killed(cloud):
    assert [each.kill() for each in cloud.workers] == [False, False]


def build_result(*affected: tuple[str, int]) -> ChaosResult:
    now = clock.now()
    injections = [Injection(kind, now, now + dt.timedelta(seconds=1), number) for kind, number in affected]
    affects = {"hole": "packets", "cut": "connections", "lost": "COMMITs"}
    return ChaosResult(ChaosOptions("sqlite", 1, 60.0), affects, [History("tid", "oid")], injections)


def test_the_report_names_missing_faults_and_faults_without_effect():
    result = build_result(("hole", 7), ("cut", 0), ("hole", 0))
    written = report.build_page([result], written=clock.now().date())

    assert report.build_headline(result).endswith("3 faults; 0 violations. NOT INJECTED: lost. NO EFFECT: cut.")
    assert "| cut | 1 | 1 | 0 | connections | run ended | run ended | run ended | run ended |" in written
    assert "| hole | 2 | 1 | 7 | packets |" in written
    assert "| lost | 0 | 0 | 0 | COMMITs | - | - | - | - |" in written


def test_the_headline_is_complete_if_all_faults_had_an_effect():
    assert report.build_headline(build_result(("hole", 7), ("cut", 1), ("lost", 2), ("lost", 0))).endswith(
        "0 violations."
    )


@pytest.mark.parametrize("injected", [(), (("cut", 0), ("hole", 0))])
def test_a_run_without_an_affected_request_proves_nothing(injected):
    result = build_result(*injected)

    assert not result.had_effect
    assert "THIS PROVES NOTHING" in report.build_headline(result)
