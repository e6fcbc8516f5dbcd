"""Troubles come by the dice, all kinds in turn, and each is ended; a clock is off by what its file says."""

import random
import threading

import pytest

from devcloud.chaos.driver import Driver
from devcloud.chaos.troubles import Trouble
from devcloud.chaos.worker import SECONDS, clock_of, set_off
from shared import clock


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
            return lambda: ended.append(kind)

        return Trouble(kind, begin)

    driver = Driver([trouble(kind) for kind in KINDS], random.Random(seed), lambda _kind: None, calm=(0, 0))  # noqa: S311
    with driver.running():
        assert enough.wait(10)
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

    driver = Driver([Trouble("full", begin)], random.Random(1), lambda _kind: None, calm=(0, 0))  # noqa: S311

    with pytest.raises(OSError, match="cannot be filled"), driver.running():
        assert tried.wait(10)


def test_a_clock_is_off_by_what_its_file_says_from_then_on(tmp_path):
    file = tmp_path / "clock"
    file.write_bytes(SECONDS.pack(0.0))
    now = clock_of(file)
    right = (now() - clock.now()).total_seconds()
    set_off(file, -75.5)
    wrong = (now() - clock.now()).total_seconds()

    assert abs(right) < 1
    assert abs(wrong + 75.5) < 1
