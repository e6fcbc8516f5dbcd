"""A host whose clock can be set wrong from outside; run as `python -m devcloud.chaos.worker PORT CLOCK_FILE`.

It is the local Functions host with the product's own composition, but for the clock that the App is handed: that of the
machine, plus the seconds which the clock file holds at the time. Nothing of the product is replaced.
"""

import datetime as dt
import mmap
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

from devcloud import serve
from shared import clock
from shared.app import build, use
from shared.settings import Settings


SECONDS = struct.Struct("d")
PROJECT = Path(__file__).resolve().parents[2]


def clock_of(file: Path) -> Callable[[], dt.datetime]:
    """The clock of the machine, as far off as the file says at each look."""
    with file.open("rb") as opened:
        shared = mmap.mmap(opened.fileno(), SECONDS.size, access=mmap.ACCESS_READ)

    def now() -> dt.datetime:
        off: float = SECONDS.unpack(shared[: SECONDS.size])[0]
        return clock.now() + dt.timedelta(seconds=off)

    return now


def set_off(file: Path, seconds: float) -> None:
    """Sets the clock of whoever reads the file; in place, since it is mapped."""
    with file.open("r+b") as opened:
        opened.write(SECONDS.pack(seconds))


def main(port: int, file: Path) -> None:
    with use(build(Settings.from_env(os.environ), now=clock_of(file))):
        serve.serve(serve.Options(PROJECT, port))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
