"""Each mode of the TCP proxy has its effect on connections and counts it."""

import errno
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from tools.chaos.cloud import processes
from tools.chaos.cloud.processes import Proxy


TIMEOUT = 30.0  # for expected data
QUIET = 0.4  # for unexpected data


@dataclass
class Echo:
    """Returns all data and stores it."""

    listening: socket.socket
    got: list[bytes] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.listening.getsockname()[1])

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with closing(connection):
            try:
                while data := connection.recv(1024):
                    self.got.append(data)
                    connection.sendall(data)
            except OSError:
                return  # it was cut


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        echo = Echo(listening)
        threading.Thread(target=echo.run, daemon=True).start()
        yield echo
        with suppress(OSError):  # a test may have closed it
            listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(echo, tmp_path) -> Iterator[Proxy]:
    with processes.start_proxy(tmp_path / "log", echo.port) as proxy:
        yield proxy


@contextmanager
def connect(proxy: Proxy) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", proxy.port), timeout=TIMEOUT)) as connection:
        yield connection


def exchange(connection: socket.socket, words: bytes, *, within: float = TIMEOUT) -> bytes | None:
    """The response; empty for an ended connection, None without a response."""
    connection.settimeout(within)
    try:
        connection.sendall(words)
        return connection.recv(1024)
    except TimeoutError:
        return None
    except OSError:
        return b""


def test_an_open_proxy_forwards_everything(proxy):
    with connect(proxy) as connection:
        assert exchange(connection, b"COMMIT") == b"COMMIT"


def test_a_cut_ends_present_connections_only(proxy):
    with connect(proxy) as before:
        assert exchange(before, b"one") == b"one"
        assert proxy.set_mode("cut") == 1
        with connect(proxy) as after:
            assert (exchange(before, b"two"), exchange(after, b"three")) == (b"", b"three")


def test_refused_connections_are_accepted_again_when_open(proxy):
    proxy.set_mode("refuse")
    with connect(proxy) as refused:
        assert exchange(refused, b"one") == b""
    assert proxy.set_mode("open") == 1
    with connect(proxy) as admitted:
        assert exchange(admitted, b"two") == b"two"


def test_a_black_hole_drops_packets_and_repeated_ones_arrive_afterwards(proxy):
    with connect(proxy) as swallowed:
        proxy.set_mode("hole")
        assert exchange(swallowed, b"one", within=QUIET) is None
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", proxy.port), timeout=QUIET)
        assert proxy.set_mode("open") >= 2  # the data, and the new connection
        swallowed.settimeout(TIMEOUT)
        assert swallowed.recv(1024) == b"one"
    with connect(proxy) as after:
        assert exchange(after, b"two") == b"two"


def test_keepalive_probes_detect_a_black_hole(proxy):
    with connect(proxy) as waiting:
        for option, seconds in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 2)):
            waiting.setsockopt(socket.IPPROTO_TCP, option, seconds)
        waiting.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        assert exchange(waiting, b"one") == b"one"
        proxy.set_mode("hole")
        waiting.settimeout(TIMEOUT)

        with pytest.raises(OSError, match="timed out") as noticed:
            waiting.recv(1024)

    assert noticed.value.errno == errno.ETIMEDOUT


def test_a_slow_proxy_delays_both_directions(proxy):
    proxy.set_mode("slow", 0.05)
    with connect(proxy) as connection:
        began = time.monotonic()
        assert exchange(connection, b"one") == b"one"

    assert time.monotonic() - began >= 0.1
    assert proxy.set_mode("open") == 2


def test_watch_counts_ended_and_failed_connections(proxy, echo):
    with connect(proxy) as kept, connect(proxy) as ended:
        assert exchange(kept, b"one") == exchange(ended, b"one") == b"one"
        proxy.set_mode("watch")
        ended.shutdown(socket.SHUT_WR)
        assert ended.recv(1024) == b""
        echo.listening.shutdown(socket.SHUT_RDWR)
        echo.listening.close()
        with connect(proxy) as nobody:
            assert exchange(nobody, b"two") == b""
        assert exchange(kept, b"three") == b"three"

    assert proxy.set_mode("open") >= 2


def test_modes_without_connections_have_no_effect(proxy):
    for mode, number in (("cut", 0), ("refuse", 0), ("slow", 0.1), ("hole", 0), ("lose-commit", 9), ("watch", 0)):
        proxy.set_mode(mode, number)

        assert (mode, proxy.set_mode("open")) == (mode, 0)


def test_a_commit_with_a_lost_response_has_arrived_and_a_lost_commit_has_not(proxy, echo):
    proxy.set_mode("lose-answer", 7)
    with connect(proxy) as unanswered:
        assert exchange(unanswered, b"1 COMMIT") == b""
    assert proxy.set_mode("open") == 1
    proxy.set_mode("lose-commit", 7)
    with connect(proxy) as lost:
        assert exchange(lost, b"2 COMMIT") == b""
    assert proxy.set_mode("open") == 1
    with connect(proxy) as connection:
        assert exchange(connection, b"3 COMMIT") == b"3 COMMIT"

    assert echo.got == [b"1 COMMIT", b"3 COMMIT"]
