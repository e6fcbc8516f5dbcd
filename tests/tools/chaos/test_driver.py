"""Troubles come by the dice, all kinds in turn, each is ended and says what it met; clocks are off by their file."""

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared import clock
from tools.chaos.clients.fleet import Fleet, NotWell
from tools.chaos.clients.http import Stop
from tools.chaos.cloud.worker import ClockFile
from tools.chaos.faults.driver import Driver
from tools.chaos.faults.fault import Trouble


KINDS = ("one", "two", "three")


def driven(seed: int, *, until: int) -> tuple[list[str], list[str]]:
    """What began and what ended, in order, until so many have."""
    began: list[str] = []
    ended: list[str] = []
    enough = threading.Event()

    def trouble(kind: str) -> Trouble:
        def begin(_dice: random.Random):
            began.append(kind)
            if len(began) == until:
                enough.set()

            def end() -> int:
                ended.append(kind)
                return len(ended)

            return end

        return Trouble(kind, "ends", begin)

    driver = Driver([trouble(kind) for kind in KINDS], random.Random(seed), lambda _kind: None, calm=(0, 0))  # noqa: S311
    with driver.running():
        assert enough.wait(10)
    assert [each.met for each in driver.injections] == list(range(1, len(ended) + 1))
    return began[:until], ended


def test_every_kind_has_its_turn_before_any_has_its_second_and_each_is_ended():
    began, ended = driven(5, until=6)

    assert sorted(began[:3]) == sorted(began[3:]) == sorted(KINDS)
    assert ended[:6] == began


def test_the_same_seed_brings_the_same_troubles():
    assert driven(5, until=9)[0] == driven(5, until=9)[0]


def test_a_trouble_that_cannot_be_made_fails_the_run():
    tried = threading.Event()

    def begin(_dice: random.Random):
        tried.set()
        raise OSError("the disk cannot be filled")

    driver = Driver([Trouble("full", "bytes", begin)], random.Random(1), lambda _kind: None, calm=(0, 0))  # noqa: S311

    with pytest.raises(OSError, match="cannot be filled"), driver.running():
        assert tried.wait(10)


def test_a_trouble_that_does_not_end_fails_the_run():
    began, over = threading.Event(), threading.Event()

    def begin(_dice: random.Random):
        began.set()
        return lambda: int(over.wait(60))

    dice = random.Random(1)  # noqa: S311
    driver = Driver([Trouble("endless", "times", begin)], dice, lambda _kind: None, calm=(0, 0), end_seconds=0.1)

    with pytest.raises(NotWell, match="did not end"), driver.running():
        assert began.wait(10)
    over.set()


@dataclass
class Busy:
    """Somebody of the fleet who goes on working until they are released, whatever they are told."""

    name: str
    released: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        self.released.wait(60)


def test_somebody_who_does_not_stop_working_fails_the_run():
    busy: Any = Busy("p0.1")
    with pytest.raises(NotWell, match=r"p0\.1 did not stop"), Fleet([busy], Stop(None), end_seconds=0.1).working():
        pass
    busy.released.set()


def test_a_clock_is_off_by_what_its_file_says_from_then_on_and_counts_the_looks_at_it(tmp_path):
    ours, workers = ClockFile(tmp_path / "clock"), ClockFile(tmp_path / "clock")
    right = (workers.now() - clock.now()).total_seconds()
    before = ours.looks
    ours.set_off(-75.5)
    wrong = (workers.now() - clock.now()).total_seconds()

    assert abs(right) < 1
    assert abs(wrong + 75.5) < 1
    assert (before, ours.looks) == (0, 1)


def test_keys_grow_older_by_what_the_file_says_and_never_younger(tmp_path):
    ours, workers = ClockFile(tmp_path / "clock"), ClockFile(tmp_path / "clock")
    young = workers.monotonic() - time.monotonic()
    ours.age_keys(3600)
    ours.age_keys(300)
    old = ClockFile(tmp_path / "clock").monotonic() - time.monotonic()

    assert abs(young) < 1
    assert abs(old - 3900) < 1
