"""The load generator, a separate process: HTTP/1.1 over persistent connections, one request at a time on each.

A closed loop over epoll: a connection sends its next request after the response. It reads a plan as a line of JSON and
writes its measurement as another.
"""

import json
import selectors
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from tools.bench.load.exchanges import Exchange, WrongResponse, build_exchange
from tools.bench.load.processes import cpu_seconds, process_tree, rss_mb


_READ_BYTES = 1 << 18
_MAX_ERRORS = 3
_MIN_RESPONSES = 4  # per round, even if they take longer
_SELECT_SECONDS = 0.1


@dataclass
class Measurement:
    """All latencies in microseconds by name, and processor seconds of the server."""

    seconds: float = 0.0
    latencies: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    server_cpu: float = 0.0
    server_rss_mb: float = 0.0

    @property
    def response_count(self) -> int:
        return sum(len(each) for each in self.latencies.values())


class Connection:
    """One user on one connection."""

    def __init__(self, port: int, exchange: Exchange) -> None:
        self.exchange = exchange
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self._received = b""

    def send(self) -> None:
        self.sent_at = time.perf_counter()
        self.sock.sendall(self.exchange.request())

    def receive(self) -> tuple[int, bytes] | None:
        """Status and body of a complete response, otherwise None.

        Raises:
            WrongResponse: the server closed the connection.
        """
        chunk = self.sock.recv(_READ_BYTES)
        if not chunk:
            raise WrongResponse("the server closed the connection")
        self._received += chunk
        head, result, body = self._received.partition(b"\r\n\r\n")
        if not result:
            return None
        lowered = head.lower()
        at = lowered.find(b"\r\ncontent-length:")
        length = int(lowered[at + 17 :].partition(b"\r\n")[0]) if at >= 0 else 0
        if len(body) < length:
            return None
        self._received = b""
        return int(head[9:12]), body


class LoadRun:
    """All connections of a round; requests sent after the warm-up and before the end count."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.measured = Measurement()
        self._seconds, self._drain, self._server = plan["seconds"], plan["drain"], process_tree(plan["server_pid"])
        self._since = time.perf_counter() + plan["warm_up"]
        self._ended_at: float | None = None
        self._cpu_before: float | None = None
        self._selector = selectors.DefaultSelector()
        for exchange in plan["connections"]:
            connection = Connection(plan["port"], build_exchange(**exchange))
            self._selector.register(connection.sock, selectors.EVENT_READ, connection)
            connection.send()

    def run(self) -> Measurement:
        """Ends when every connection is idle; a response missing after `drain` seconds is an error."""
        while waiting := list(self._selector.get_map().values()):
            self._check_time()
            if self._ended_at is not None and time.perf_counter() > self._ended_at + self._drain:
                self.measured.errors += [f"no response in {self._drain:.1f} s"] * len(waiting)
                break
            for ready, _ in self._selector.select(_SELECT_SECONDS):
                self._receive(ready.data)
        return self.measured

    def _check_time(self) -> None:
        now = time.perf_counter()
        if self._cpu_before is None:
            self._cpu_before = cpu_seconds(self._server) if now >= self._since else None
        elif self._ended_at is None and self._has_ended(now):
            self._ended_at, self.measured.seconds = now, now - self._since
            self.measured.server_cpu = cpu_seconds(self._server) - self._cpu_before
            self.measured.server_rss_mb = rss_mb(self._server)

    def _has_ended(self, now: float) -> bool:
        """A slow response prolongs the round, a missing one does not."""
        overtime = now - self._since - self._seconds
        return overtime >= 0 and (self.measured.response_count >= _MIN_RESPONSES or overtime >= self._drain)

    def _receive(self, connection: Connection) -> None:
        try:
            response = connection.receive()
            now = time.perf_counter()
            if response is None:
                return
            name = connection.exchange.check(*response)
        except (WrongResponse, OSError, ValueError, KeyError) as error:
            self.measured.errors.append(str(error))
            self._end(connection)
            return
        if connection.sent_at >= self._since and self._ended_at is None:
            self.measured.latencies.setdefault(name, []).append(round((now - connection.sent_at) * 1e6, 1))
        if self._ended_at is not None and connection.exchange.is_idle:
            self._end(connection)
        else:
            connection.send()

    def _end(self, connection: Connection) -> None:
        self._selector.unregister(connection.sock)
        connection.sock.close()


if __name__ == "__main__":
    result = LoadRun(json.loads(sys.stdin.readline())).run()
    result.errors = [*result.errors[:_MAX_ERRORS], *(["and more"] if len(result.errors) > _MAX_ERRORS else [])]
    sys.stdout.write(json.dumps(asdict(result)))
