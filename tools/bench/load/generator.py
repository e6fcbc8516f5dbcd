"""The load generator, a process of its own: HTTP/1.1 over kept connections, one request at a time on each.

A closed loop over epoll: the next request of a connection waits for its answer. It reads a plan as a line of JSON and
writes what it measured as another.
"""

import json
import selectors
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from tools.bench.load.exchanges import Exchange, WrongAnswer, exchange
from tools.bench.load.processes import cpu_seconds, rss_mb, tree


_READ_BYTES = 1 << 18
_MOST_TOLD = 3
_LEAST_ANSWERS = 4  # of a round, also where one takes longer than that
_LOOK_SECONDS = 0.1


@dataclass
class Measured:
    """Latencies in microseconds by name, none left out; processor seconds of the server."""

    seconds: float = 0.0
    latencies: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    server_cpu: float = 0.0
    server_rss_mb: float = 0.0

    @property
    def answers(self) -> int:
        return sum(len(each) for each in self.latencies.values())


class Connection:
    """One user on one connection."""

    def __init__(self, port: int, talk: Exchange) -> None:
        self.talk = talk
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked_at = 0.0
        self._got = b""

    def send(self) -> None:
        self.asked_at = time.perf_counter()
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
    """All connections of a round; it counts what was asked for after the warm-up and before the end."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.measured = Measured()
        self._seconds, self._drain, self._server = plan["seconds"], plan["drain"], tree(plan["server_pid"])
        self._since = time.perf_counter() + plan["warm_up"]
        self._ended_at: float | None = None
        self._cpu_before: float | None = None
        self._selector = selectors.DefaultSelector()
        for talk in plan["connections"]:
            connection = Connection(plan["port"], exchange(**talk))
            self._selector.register(connection.sock, selectors.EVENT_READ, connection)
            connection.send()

    def run(self) -> Measured:
        """Ends when every connection is at rest; what is not answered within `drain` seconds is an error."""
        while waiting := list(self._selector.get_map().values()):
            self._look_at_the_clock()
            if self._ended_at is not None and time.perf_counter() > self._ended_at + self._drain:
                self.measured.errors += [f"no answer in {self._drain:.1f} s"] * len(waiting)
                break
            for ready, _ in self._selector.select(_LOOK_SECONDS):
                self._take(ready.data)
        return self.measured

    def _look_at_the_clock(self) -> None:
        now = time.perf_counter()
        if self._cpu_before is None:
            self._cpu_before = cpu_seconds(self._server) if now >= self._since else None
        elif self._ended_at is None and self._is_over(now):
            self._ended_at, self.measured.seconds = now, now - self._since
            self.measured.server_cpu = cpu_seconds(self._server) - self._cpu_before
            self.measured.server_rss_mb = rss_mb(self._server)

    def _is_over(self, now: float) -> bool:
        """A slow answer prolongs the round, one that never comes does not."""
        late = now - self._since - self._seconds
        return late >= 0 and (self.measured.answers >= _LEAST_ANSWERS or late >= self._drain)

    def _take(self, connection: Connection) -> None:
        try:
            answer = connection.receive()
            now = time.perf_counter()
            if answer is None:
                return
            name = connection.talk.judge(*answer)
        except (WrongAnswer, OSError, ValueError, KeyError) as error:
            self.measured.errors.append(str(error))
            self._end(connection)
            return
        if connection.asked_at >= self._since and self._ended_at is None:
            self.measured.latencies.setdefault(name, []).append(round((now - connection.asked_at) * 1e6, 1))
        if self._ended_at is not None and connection.talk.at_rest:
            self._end(connection)
        else:
            connection.send()

    def _end(self, connection: Connection) -> None:
        self._selector.unregister(connection.sock)
        connection.sock.close()


if __name__ == "__main__":
    found = Load(json.loads(sys.stdin.readline())).run()
    found.errors = [*found.errors[:_MOST_TOLD], *(["and more"] if len(found.errors) > _MOST_TOLD else [])]
    sys.stdout.write(json.dumps(asdict(found)))
