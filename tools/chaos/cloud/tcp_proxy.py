"""A TCP proxy with faults; run as `python -m tools.chaos.cloud.tcp_proxy TARGET...`.

It forwards connections to the targets (ports of loopback) in turn, reads one mode per line and prints "done AFFECTED"
when the mode is in force:

* `open`: no fault.
* `slow SECONDS`: delays data in both directions.
* `hole`: drops every packet.
* `refuse`: ends all connections and refuses new ones.
* `cut`: ends the present connections, once.
* `lose-answer N`, `lose-commit N`: cuts the connection after, or before, it forwards each of the next N COMMITs.
* `watch`: no fault; counts connections that end or fail.

AFFECTED is the count of the last mode other than `open`: delayed or dropped packets, connections, or lost COMMITs.
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

from devcloud.ports import LOOPBACK, listen


COMMIT = b"COMMIT"
_READ_BYTES = 1 << 16
_ATTACH_FILTER, _DETACH_FILTER = 26, 27  # Linux: SO_ATTACH_FILTER, SO_DETACH_FILTER
_RETURN_NOTHING = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: drop every packet
_DROP_ALL = struct.pack("HP", 1, ctypes.addressof(_RETURN_NOTHING))
_MEMORY, _MEMORY_BYTES, _DROPS = 55, 36, 8  # Linux: SO_MEMINFO, its size, and the index of dropped packets


class TcpProxy:
    """The connections of the proxy and the present fault."""

    def __init__(self, targets: list[int], listening: socket.socket) -> None:
        self._targets: Iterator[int] = itertools.cycle(targets)
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._listening = listening
        self._drops_packets = False
        self._delay_seconds = 0.0
        self._refuses_connections = False
        self._counts_connections = False
        self._lost_responses = self._lost_commits = 0
        self._affected = self._dropped_before = 0

    def set_mode(self, mode: str, number: float) -> int:
        """Sets the mode; returns the affected count.

        Raises:
            ValueError: unknown mode.
        """
        if mode != "open":
            self._affected = 0
        match mode:
            case "open":
                self._open()
            case "slow":
                self._delay_seconds = number
            case "hole":
                self._drop_packets(enabled=True)
                self._dropped_before = self._dropped()
            case "watch":
                self._counts_connections = True
            case "refuse":
                self._refuses_connections = True
                self._cut()
            case "cut":
                self._cut()
            case "lose-answer":
                self._lost_responses = int(number)
            case "lose-commit":
                self._lost_commits = int(number)
            case _:
                raise ValueError(f"unknown mode {mode!r}")
        return self._affected

    async def handle_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forwards one connection until it ends."""
        if self._refuses_connections:
            self._affected += 1
            writer.transport.abort()
            return
        try:
            target_reader, target_writer = await asyncio.open_connection(LOOPBACK, next(self._targets))
        except OSError:
            self._affected += self._counts_connections
            writer.transport.abort()
            return
        pair = (writer, target_writer)
        self._pairs.add(pair)
        if self._drops_packets:
            self._drop_packets(enabled=True)  # accepted just before the mode
        try:
            await asyncio.gather(self._forward(reader, pair), self._return(target_reader, pair))
        except OSError:
            pass  # one side was cut
        finally:
            self._pairs.discard(pair)
            self._affected += self._counts_connections
            for end in pair:
                end.transport.abort()

    async def _forward(
        self, reader: asyncio.StreamReader, pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    ) -> None:
        while data := await reader.read(_READ_BYTES):
            await self._delay()
            if COMMIT in data and self._lost_commits:
                self._lost_commits -= 1
                self._affected += 1
                raise ConnectionAbortedError
            if COMMIT in data and self._lost_responses:
                self._lost_responses -= 1
                self._affected += 1
                pair[0].transport.abort()  # before forwarding, so that no response can pass
                pair[1].write(data)
                await pair[1].drain()
                await asyncio.sleep(0.2)  # time for the COMMIT to arrive
                raise ConnectionAbortedError
            pair[1].write(data)
            await pair[1].drain()
        raise ConnectionResetError

    async def _return(
        self, reader: asyncio.StreamReader, pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    ) -> None:
        while data := await reader.read(_READ_BYTES):
            await self._delay()
            pair[0].write(data)
            await pair[0].drain()
        raise ConnectionResetError

    async def _delay(self) -> None:
        if self._delay_seconds:
            self._affected += 1
            await asyncio.sleep(self._delay_seconds)

    def _open(self) -> None:
        """Ends the fault; TCP repeats dropped packets."""
        if self._drops_packets:
            self._affected += max(0, self._dropped() - self._dropped_before)
            self._drop_packets(enabled=False)
        self._delay_seconds = 0.0
        self._refuses_connections = self._counts_connections = False
        self._lost_responses = self._lost_commits = 0

    def _drop_packets(self, *, enabled: bool) -> None:
        """Drops arriving packets in the kernel, so that the sender gets no acknowledgment."""
        self._drops_packets = enabled
        for socket_copy in self._sockets():
            if enabled:
                socket_copy.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, _DROP_ALL)
            else:
                socket_copy.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)

    def _dropped(self) -> int:
        """The number of packets that the kernel has dropped at these sockets."""
        numbers = (socket_copy.getsockopt(socket.SOL_SOCKET, _MEMORY, _MEMORY_BYTES) for socket_copy in self._sockets())
        return sum(struct.unpack(f"{_MEMORY_BYTES // 4}I", each)[_DROPS] for each in numbers)

    def _sockets(self) -> Iterator[socket.socket]:
        """Copies of the listening socket and of both ends of each connection."""
        ends = [end.get_extra_info("socket").fileno() for pair in self._pairs for end in pair]
        for number in (self._listening.fileno(), *ends):
            with socket.socket(fileno=os.dup(number)) as socket_copy:
                yield socket_copy

    def _cut(self) -> None:
        self._affected += len(self._pairs)
        for pair in list(self._pairs):
            for end in pair:
                end.transport.abort()


async def _serve(targets: list[int]) -> None:
    listening = listen(0)
    proxy = TcpProxy(targets, listening)
    server = await asyncio.start_server(proxy.handle_connection, sock=listening)
    print(listening.getsockname()[1], flush=True)  # noqa: T201 - the caller waits for it
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while words := (await commands.readline()).decode().split():
        affected = proxy.set_mode(words[0], float(words[1]) if len(words) > 1 else 0.0)
        print("done", affected, flush=True)  # noqa: T201 - likewise
    server.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve([int(each) for each in sys.argv[1:]]))
