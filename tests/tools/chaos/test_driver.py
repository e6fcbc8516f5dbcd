"""Faults are injected in random order, all kinds in turn, and count their effect; clock files set clock offsets."""

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared import clock
from tools.chaos.clients.fleet import Fleet, RunInconclusive
from tools.chaos.clients.http import StopCondition
from tools.chaos.cloud.worker import ClockFile
from tools.chaos.faults.driver import FaultDriver
from tools.chaos.faults.fault import FaultKind


KINDS = ("one", "two", "three")


def run_driver(seed: int, *, until: int) -> tuple[list[str], list[str]]:
    """The begun and ended faults in order, until so many have begun."""
    began: list[str] = []
    ended: list[str] = []
    enough = threading.Event()

    def build_fault(kind: str) -> FaultKind:
        def begin(_rng: random.Random):
            began.append(kind)
            if len(began) == until:
                enough.set()

            def end() -> int:
                ended.append(kind)
                return len(ended)

            return end

        return FaultKind(kind, "ends", begin)

    driver = FaultDriver([build_fault(kind) for kind in KINDS], random.Random(seed), lambda _kind: None, pause=(0, 0))  # noqa: S311
    with driver.running():
        assert enough.wait(10)
    assert [each.affected for each in driver.injections] == list(range(1, len(ended) + 1))
    return began[:until], ended


def test_every_kind_is_injected_once_before_any_kind_again():
    began, ended = run_driver(5, until=6)

    assert sorted(began[:3]) == sorted(began[3:]) == sorted(KINDS)
    assert ended[:6] == began


def test_the_same_seed_injects_the_same_faults():
    assert run_driver(5, until=9)[0] == run_driver(5, until=9)[0]


def test_a_fault_that_cannot_begin_fails_the_run():
    tried = threading.Event()

    def begin(_rng: random.Random):
        tried.set()
        raise OSError("the disk cannot be filled")

    driver = FaultDriver([FaultKind("full", "bytes", begin)], random.Random(1), lambda _kind: None, pause=(0, 0))  # noqa: S311

    with pytest.raises(OSError, match="cannot be filled"), driver.running():
        assert tried.wait(10)


def test_a_fault_that_does_not_end_fails_the_run():
    began, over = threading.Event(), threading.Event()

    def begin(_rng: random.Random):
        began.set()
        return lambda: int(over.wait(60))

    rng = random.Random(1)  # noqa: S311
    driver = FaultDriver([FaultKind("endless", "times", begin)], rng, lambda _kind: None, pause=(0, 0), end_seconds=0.1)

    with pytest.raises(RunInconclusive, match="did not end"), driver.running():
        assert began.wait(10)
    over.set()


@dataclass
class Busy:
    """A test user that ignores the end of the run until it is released."""

    name: str
    released: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        self.released.wait(60)


def test_a_user_that_does_not_stop_fails_the_run():
    busy: Any = Busy("p0.1")
    with (
        pytest.raises(RunInconclusive, match=r"p0\.1 did not stop"),
        Fleet([busy], StopCondition(None), end_seconds=0.1).working(),
    ):
        pass
    busy.released.set()


def test_a_clock_has_the_offset_of_its_file_and_counts_its_reads(tmp_path):
    ours, workers = ClockFile(tmp_path / "clock"), ClockFile(tmp_path / "clock")
    right = (workers.now() - clock.now()).total_seconds()
    before = ours.reads
    ours.set_offset(-75.5)
    wrong = (workers.now() - clock.now()).total_seconds()

    assert abs(right) < 1
    assert abs(wrong + 75.5) < 1
    assert (before, ours.reads) == (0, 1)


def test_the_age_of_keys_adds_up(tmp_path):
    ours, workers = ClockFile(tmp_path / "clock"), ClockFile(tmp_path / "clock")
    young = workers.monotonic() - time.monotonic()
    ours.age_keys(3600)
    ours.age_keys(300)
    old = ClockFile(tmp_path / "clock").monotonic() - time.monotonic()

    assert abs(young) < 1
    assert abs(old - 3900) < 1
