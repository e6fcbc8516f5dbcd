"""A TCP line that can be cut, slowed down or silenced; run as `python -m tools.chaos.cloud.tcp_proxy TARGET...`.

Connections go to the targets, which are ports of loopback, in turn. Reads one mode a line and says "done MET" when it
holds: `open`, `slow SECONDS` (each way), `hole` (every packet is dropped), `refuse` (no new connection), `cut` (every
connection there is, once), `lose-answer N` and `lose-commit N` (the next N COMMITs: done but unanswered, never done),
`watch` (as open; connections that end or come to nothing are counted). MET is how much the last mode but `open` has met
so far: packets that were delayed or dropped, connections that were ended or not let in, COMMITs that were lost.
"""

import asyncio
import contextlib
import ctypes
import itertools
import os
import socket
import struct
import sys
from collections.abc import Iterator

import uvloop

from devcloud.ports import LOOPBACK, bound


COMMIT = b"COMMIT"
_READ_BYTES = 1 << 16
_ATTACH_FILTER, _DETACH_FILTER = 26, 27  # Linux: SO_ATTACH_FILTER and its counterpart, which Python does not name
_RETURN_NOTHING = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # a BPF program that keeps no packet
_DROP_ALL = struct.pack("HP", 1, ctypes.addressof(_RETURN_NOTHING))
_MEMORY, _MEMORY_BYTES, _DROPS = 55, 36, 8  # Linux: SO_MEMINFO, and which of its nine numbers counts dropped packets


class Line:
    """Everything that goes through it, and what becomes of it now."""

    def __init__(self, targets: list[int], listening: socket.socket) -> None:
        self._targets: Iterator[int] = itertools.cycle(targets)
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._listening = listening
        self._silent = False
        self._slow = 0.0
        self._refuses = False
        self._watches = False
        self._lost_answers = self._lost_commits = 0
        self._met = self._dropped_before = 0

    def order(self, mode: str, number: float) -> int:
        """How much was met.

        Raises:
            ValueError: there is no such mode.
        """
        if mode != "open":
            self._met = 0
        match mode:
            case "open":
                self._open()
            case "slow":
                self._slow = number
            case "hole":
                self._deafen(silent=True)
                self._dropped_before = self._dropped()
            case "watch":
                self._watches = True
            case "refuse":
                self._refuses = True
                self._cut()
            case "cut":
                self._cut()
            case "lose-answer":
                self._lost_answers = int(number)
            case "lose-commit":
                self._lost_commits = int(number)
            case _:
                raise ValueError(f"there is no mode {mode!r}")
        return self._met

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its beginning to its end."""
        if self._refuses:
            self._met += 1
            writer.transport.abort()
            return
        try:
            beyond, out = await asyncio.open_connection(LOOPBACK, next(self._targets))
        except OSError:
            self._met += self._watches
            writer.transport.abort()
            return
        pair = (writer, out)
        self._pairs.add(pair)
        if self._silent:
            self._deafen(silent=True)  # it was let in just before
        try:
            await asyncio.gather(self._there(reader, pair), self._back(beyond, pair))
        except OSError:
            pass  # an end of it was cut
        finally:
            self._pairs.discard(pair)
            self._met += self._watches
            for end in pair:
                end.transport.abort()

    async def _there(
        self, reader: asyncio.StreamReader, pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    ) -> None:
        while data := await reader.read(_READ_BYTES):
            await self._delay()
            if COMMIT in data and self._lost_commits:
                self._lost_commits -= 1
                self._met += 1
                raise ConnectionAbortedError
            if COMMIT in data and self._lost_answers:
                self._lost_answers -= 1
                self._met += 1
                pair[0].transport.abort()  # before it is sent on, so that no answer can be quicker
                pair[1].write(data)
                await pair[1].drain()
                await asyncio.sleep(0.2)  # it arrives, and is done
                raise ConnectionAbortedError
            pair[1].write(data)
            await pair[1].drain()
        raise ConnectionResetError

    async def _back(
        self, reader: asyncio.StreamReader, pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    ) -> None:
        while data := await reader.read(_READ_BYTES):
            await self._delay()
            pair[0].write(data)
            await pair[0].drain()
        raise ConnectionResetError

    async def _delay(self) -> None:
        if self._slow:
            self._met += 1
            await asyncio.sleep(self._slow)

    def _open(self) -> None:
        """As before any trouble; what a hole swallowed is sent again by those who have not given up."""
        if self._silent:
            self._met += max(0, self._dropped() - self._dropped_before)
            self._deafen(silent=False)
        self._slow, self._refuses, self._watches, self._lost_answers, self._lost_commits = 0.0, False, False, 0, 0

    def _deafen(self, *, silent: bool) -> None:
        """Drops, in the kernel, whatever arrives at these sockets: nobody beyond hears even that it has arrived."""
        self._silent = silent
        for same in self._sockets():
            if silent:
                same.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, _DROP_ALL)
            else:
                same.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)

    def _dropped(self) -> int:
        """How many packets the kernel has dropped at these sockets, since there are any."""
        numbers = (same.getsockopt(socket.SOL_SOCKET, _MEMORY, _MEMORY_BYTES) for same in self._sockets())
        return sum(struct.unpack(f"{_MEMORY_BYTES // 4}I", each)[_DROPS] for each in numbers)

    def _sockets(self) -> Iterator[socket.socket]:
        """That of those who knock, and both ends of each connection; each for as long as it is looked at."""
        ends = [end.get_extra_info("socket").fileno() for pair in self._pairs for end in pair]
        for number in (self._listening.fileno(), *ends):
            with socket.socket(fileno=os.dup(number)) as same:
                yield same

    def _cut(self) -> None:
        self._met += len(self._pairs)
        for pair in list(self._pairs):
            for end in pair:
                end.transport.abort()


async def _serve(targets: list[int]) -> None:
    listening = bound(0)
    line = Line(targets, listening)
    server = await asyncio.start_server(line.meet, sock=listening)
    print(listening.getsockname()[1], flush=True)  # noqa: T201 - what the caller waits for
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while words := (await orders.readline()).decode().split():
        met = line.order(words[0], float(words[1]) if len(words) > 1 else 0.0)
        print("done", met, flush=True)  # noqa: T201 - likewise
    server.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve([int(each) for each in sys.argv[1:]]))
