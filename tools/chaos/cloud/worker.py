"""A worker with adjustable clocks; run as `python -m tools.chaos.cloud.worker PORT CLOCK_FILE`.

It is the local Functions host with the product's own App. Only the App's clocks differ: the machine's time plus the
offsets in the clock file.
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
from shared.auth.tokens import TokenValidator
from shared.settings import Settings


PROJECT = Path(__file__).resolve().parents[3]
_NUMBERS = struct.Struct("ddd")
_OFFSET, _AGE, _READS = range(3)


class ClockFile:
    """Three numbers shared by a worker and the run, in a mapped file that outlives the worker."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            file.write_bytes(bytes(_NUMBERS.size))
        with file.open("r+b") as opened:
            self._numbers = memoryview(mmap.mmap(opened.fileno(), _NUMBERS.size)).cast("d")

    def set_offset(self, seconds: float) -> None:
        """Sets the offset of the time of day."""
        self._numbers[_OFFSET] = seconds

    def age_keys(self, seconds: float) -> None:
        """Makes cached signing keys older by so many seconds; this adds up."""
        self._numbers[_AGE] += seconds

    @property
    def reads(self) -> int:
        """The number of reads of the time of day with an offset (a lower bound, since threads do not lock)."""
        return int(self._numbers[_READS])

    def now(self) -> dt.datetime:
        offset = self._numbers[_OFFSET]
        if offset:
            self._numbers[_READS] += 1
        return clock.now() + dt.timedelta(seconds=offset)

    def monotonic(self) -> float:
        """The clock for the age of signing keys."""
        return time.monotonic() + self._numbers[_AGE]


def build_app(settings: Settings, clocks: ClockFile) -> App:
    """The product's App with these clocks."""
    keys = SigningKeys(settings.entra_keys_url, monotonic=clocks.monotonic)
    return replace(build(settings, now=clocks.now), validator=TokenValidator(keys, settings, now=clocks.now))


def main(port: int, file: Path) -> None:
    with use(build_app(Settings.from_env(os.environ), ClockFile(file))):
        serve.serve(serve.Options(PROJECT, port))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
