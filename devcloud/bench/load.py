"""The load generator, a process of its own: HTTP/1.1 over kept connections, one request at a time on each.

A closed loop over epoll with requests made beforehand, so that it takes a small share of the machine; how much it took
is part of its result. It reads a plan as JSON and writes what it measured as JSON.
"""

import json
import selectors
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from devcloud.bench.exchanges import Exchange, WrongAnswer, exchange
from devcloud.bench.processes import cpu_seconds, machine_busy_seconds, rss_mb, tree


_READ_BYTES = 1 << 18
_MOST_TOLD = 3
_LEAST_ANSWERS = 4  # of a round, also where one takes longer than that
_LONGEST_SECONDS = 120.0
_DRAIN_SECONDS = 10.0


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
    """One user on one connection."""

    def __init__(self, port: int, talk: Exchange) -> None:
        self.talk = talk
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._got = b""
        self.sent_at = 0.0

    def send(self) -> None:
        request = self.talk.request()
        self.sent_at = time.perf_counter()
        self.sock.sendall(request)

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


def run(plan: dict[str, Any]) -> Measured:
    """Keeps every connection busy for the warm-up and the measured seconds, then lets each come to rest."""
    connections = [Connection(plan["port"], exchange(**each)) for each in plan["connections"]]
    selector = selectors.DefaultSelector()
    for each in connections:
        selector.register(each.sock, selectors.EVENT_READ, each)
        each.send()
    measured = Measured()
    begin = time.perf_counter() + plan["warm_up"]
    _drive(selector, measured, since=float("inf"), until=begin)
    meters = _meters(plan["server_pid"])
    began = time.perf_counter()
    _drive(selector, measured, since=began, until=began + plan["seconds"])
    while measured.answers < _LEAST_ANSWERS and not measured.errors and time.perf_counter() - began < _LONGEST_SECONDS:
        _drive(selector, measured, since=began, until=time.perf_counter() + plan["seconds"])
    measured.seconds = time.perf_counter() - began
    spent = [after - before for before, after in zip(meters, _meters(plan["server_pid"]), strict=True)]
    measured.server_cpu, measured.load_cpu, measured.machine_cpu = spent
    measured.server_rss_mb = rss_mb(tree(plan["server_pid"]))
    _drive(selector, measured, since=float("inf"), until=time.perf_counter() + _DRAIN_SECONDS, resting=True)
    for each in connections:
        each.sock.close()
    return measured


def _meters(server_pid: int) -> tuple[float, float, float]:
    return cpu_seconds(tree(server_pid)), time.process_time(), machine_busy_seconds()


def _drive(
    selector: selectors.BaseSelector, measured: Measured, *, since: float, until: float, resting: bool = False
) -> None:
    """Takes answers and sends the next requests; keeps the latency of what was sent at `since` or later."""
    while selector.get_map() and time.perf_counter() < until:
        for ready, _ in selector.select(0.1):
            connection: Connection = ready.data
            try:
                answer = connection.receive()
                now = time.perf_counter()
                if answer is None:
                    continue
                name = connection.talk.judge(*answer)
            except (WrongAnswer, OSError, ValueError, KeyError) as error:
                measured.failed(str(error))
                selector.unregister(connection.sock)
                continue
            if connection.sent_at >= since:
                measured.latencies.setdefault(name, []).append(round((now - connection.sent_at) * 1e6, 1))
                measured.answer_bytes = len(answer[1])
            if resting and connection.talk.at_rest:
                selector.unregister(connection.sock)
            else:
                connection.send()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(run(json.load(sys.stdin)))))
