"""The load generator, a process of its own: HTTP/1.1 over kept connections, one request at a time on each.

A closed loop over epoll, or at a `rate` an open one: then requests are due at fixed times, and what waits behind a slow
answer has been waiting since it was due. What was due in the measured seconds counts whenever it is answered, and is an
error if it is not. It takes a small share of the machine; how much is part of its result. It reads a plan as a line of
JSON and writes a line of what it measured for each slice of its time; once its input is closed, that slice is the last.
"""

import heapq
import itertools
import json
import select
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from tools.bench.load.exchanges import Exchange, WrongAnswer, exchange
from tools.bench.load.processes import cpu_seconds, machine_busy_seconds, rss_mb, tree


_READ_BYTES = 1 << 18
_MOST_TOLD = 3
_LEAST_ANSWERS = 4  # of a round, also where one takes longer than that
_LONGEST_SECONDS = 120.0
_LOOK_SECONDS = 0.1


@dataclass
class Measured:
    """Latencies in microseconds by name, none left out; processor seconds of the server, of the load and of all."""

    seconds: float = 0.0
    latencies: dict[str, list[float]] = field(default_factory=dict)
    answer_bytes: int = 0
    errors: int = 0
    told: list[str] = field(default_factory=list)
    server_cpu: float = 0.0
    load_cpu: float = 0.0
    machine_cpu: float = 0.0
    server_rss_mb: float = 0.0

    @property
    def answers(self) -> int:
        return sum(len(each) for each in self.latencies.values())

    def failed(self, told: str) -> None:
        self.errors += 1
        if len(self.told) < _MOST_TOLD:
            self.told.append(told)


class Connection:
    """One user on one connection; `due` tells when each request is to be sent, None at once after an answer."""

    def __init__(self, port: int, talk: Exchange, due: Iterator[float] | None) -> None:
        self.talk = talk
        self._due = due
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._got = b""
        self.asked_at = 0.0

    def plan(self) -> None:
        """Sets when the next request is due, from when its latency counts; not later than now if it is late."""
        self.asked_at = time.perf_counter() if self._due is None else next(self._due)

    def send(self) -> None:
        self.sock.sendall(self.talk.request())

    def receive(self) -> tuple[int, bytes] | None:
        """Status and body once all of the answer is there.

        Raises:
            WrongAnswer: the server hung up.
        """
        piece = self.sock.recv(_READ_BYTES)
        if not piece:
            raise WrongAnswer("the server closed the connection")
        self._got += piece
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found:
            return None
        lowered = head.lower()
        at = lowered.find(b"\r\ncontent-length:")
        length = int(lowered[at + 17 :].partition(b"\r\n")[0]) if at >= 0 else 0
        if len(body) < length:
            return None
        self._got = b""
        return int(head[9:12]), body


class Load:
    """All connections, each waiting for its answer or for its next request to be due."""

    def __init__(self, connections: list[Connection]) -> None:
        self.measured = Measured()
        self._ended = float("inf")  # what is due from then on is asked no more
        self._selector = selectors.DefaultSelector()
        self._waiting: list[tuple[float, int, Connection]] = []
        self._order = itertools.count()
        for each in connections:
            self._selector.register(each.sock, selectors.EVENT_READ, each)
            self._plan(each)

    def drive(self, *, since: float, until: float) -> None:
        """Takes answers and sends what is due; keeps the latency of what was asked for at `since` or later."""
        while self._selector.get_map() and (now := time.perf_counter()) < until:
            self._send_due(now)
            soon = self._waiting[0][0] - time.perf_counter() if self._waiting else _LOOK_SECONDS
            for ready, _ in self._selector.select(max(0.0, min(soon, _LOOK_SECONDS))):
                self._take(ready.data, since)

    def end(self, *, since: float, drain: float) -> None:
        """Asks what has been due and leaves nothing open; what is not answered within `drain` seconds is an error."""
        self._ended = time.perf_counter()
        planned, self._waiting = self._waiting, []
        for _, _, connection in planned:
            self._wait(connection)
        self.drive(since=since, until=self._ended + drain)
        now = time.perf_counter()
        for unanswered in self._selector.get_map().values():
            if (waited := now - unanswered.data.asked_at) > 0:
                self.measured.failed(f"no answer in {waited:.1f} s")

    def _take(self, connection: Connection, since: float) -> None:
        try:
            answer = connection.receive()
            now = time.perf_counter()
            if answer is None:
                return
            name = connection.talk.judge(*answer)
        except (WrongAnswer, OSError, ValueError, KeyError) as error:
            self.measured.failed(str(error))
            self._selector.unregister(connection.sock)
            return
        if since <= connection.asked_at < self._ended:
            self.measured.latencies.setdefault(name, []).append(round((now - connection.asked_at) * 1e6, 1))
            self.measured.answer_bytes = len(answer[1])
        self._plan(connection)

    def _plan(self, connection: Connection) -> None:
        connection.plan()
        self._wait(connection)

    def _wait(self, connection: Connection) -> None:
        if connection.asked_at >= self._ended and connection.talk.at_rest:
            self._selector.unregister(connection.sock)
        else:
            heapq.heappush(self._waiting, (connection.asked_at, next(self._order), connection))

    def _send_due(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            heapq.heappop(self._waiting)[2].send()


def run(plan: dict[str, Any], is_over: Callable[[], bool]) -> Iterator[Measured]:
    """Keeps every connection busy for the warm-up and the measured seconds, then waits for what is unanswered.

    The seconds may be had in slices, one after the other on the same connections; an answer counts where it came. What
    was wrong in the warm-up is an error of the first. Where it `is_over` at the end of a slice, there are no more.
    """
    talks = plan["connections"]
    due: list[Iterator[float] | None] = [None] * len(talks)
    if plan["rate"] is not None:
        began, apart = time.perf_counter(), 1 / plan["rate"]
        due = [itertools.count(began + number * apart, len(talks) * apart) for number in range(len(talks))]
    connections = [Connection(plan["port"], exchange(**talk), at) for talk, at in zip(talks, due, strict=True)]
    load, never = Load(connections), float("inf")
    load.drive(since=never, until=time.perf_counter() + plan["warm_up"])
    since = time.perf_counter()
    for left in reversed(range(plan["slices"])):
        _slice(load, plan, since)
        is_last = not left or is_over()
        if is_last:
            load.end(since=since, drain=plan["drain"])
        yield load.measured
        if is_last:
            break
        load.measured = Measured()
    for each in connections:
        each.sock.close()


def _slice(load: Load, plan: dict[str, Any], since: float) -> None:
    measured, meters, began = load.measured, _meters(plan["server_pid"]), time.perf_counter()
    load.drive(since=since, until=began + plan["seconds"])
    while measured.answers < _LEAST_ANSWERS and not measured.errors and time.perf_counter() - began < _LONGEST_SECONDS:
        load.drive(since=since, until=time.perf_counter() + plan["seconds"])
    measured.seconds = time.perf_counter() - began
    spent = [after - before for before, after in zip(meters, _meters(plan["server_pid"]), strict=True)]
    measured.server_cpu, measured.load_cpu, measured.machine_cpu = spent
    measured.server_rss_mb = rss_mb(tree(plan["server_pid"]))


def _meters(server_pid: int) -> tuple[float, float, float]:
    return cpu_seconds(tree(server_pid)), time.process_time(), machine_busy_seconds()


def _is_input_closed() -> bool:
    """Nothing follows the plan, so all that can be read is the end."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


if __name__ == "__main__":
    for found in run(json.loads(sys.stdin.readline()), _is_input_closed):
        sys.stdout.write(f"{json.dumps(asdict(found))}\n")
        sys.stdout.flush()
