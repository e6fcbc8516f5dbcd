"""A host whose clocks can be set wrong from outside; run as `python -m tools.chaos.cloud.worker PORT CLOCK_FILE`.

It is the local Functions host with the product's own composition, but for the clocks that the App is handed: those of
the machine, plus the seconds which the clock file holds at the time. Nothing of the product is replaced.
"""

import datetime as dt
import mmap
import os
import struct
import sys
import time
from dataclasses import replace
from pathlib import Path

from devcloud.functions import server as serve
from shared import clock
from shared.app import App, build, use
from shared.auth.signing_keys import SigningKeys
from shared.auth.tokens import Validator
from shared.settings import Settings


PROJECT = Path(__file__).resolve().parents[3]
_NUMBERS = struct.Struct("ddd")
_OFF, _AGE, _LOOKS = range(3)


class ClockFile:
    """Three numbers that a worker and the run share: both map the file, and it outlives the worker."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            file.write_bytes(bytes(_NUMBERS.size))
        with file.open("r+b") as opened:
            self._numbers = memoryview(mmap.mmap(opened.fileno(), _NUMBERS.size)).cast("d")

    def set_off(self, seconds: float) -> None:
        """So far off is the time of day from now on."""
        self._numbers[_OFF] = seconds

    def age_keys(self, seconds: float) -> None:
        """Entra's keys are so much older at once; as time that has passed, this is never taken back."""
        self._numbers[_AGE] += seconds

    @property
    def looks(self) -> int:
        """How often the time of day was asked for while it was off, at the least: threads may count the same one."""
        return int(self._numbers[_LOOKS])

    def now(self) -> dt.datetime:
        off = self._numbers[_OFF]
        if off:
            self._numbers[_LOOKS] += 1
        return clock.now() + dt.timedelta(seconds=off)

    def monotonic(self) -> float:
        """By which keys grow old."""
        return time.monotonic() + self._numbers[_AGE]


def composed(settings: Settings, clocks: ClockFile) -> App:
    """The product's App by these clocks."""
    keys = SigningKeys(settings.entra_keys_url, monotonic=clocks.monotonic)
    return replace(build(settings, now=clocks.now), validator=Validator(keys, settings, now=clocks.now))


def main(port: int, file: Path) -> None:
    with use(composed(Settings.from_env(os.environ), ClockFile(file))):
        serve.serve(serve.Options(PROJECT, port))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
