"""A line does to its connections what it is told, and nothing else."""

import errno
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from tools.chaos.cloud import processes
from tools.chaos.cloud.processes import Line


PATIENCE = 30.0  # for what is to come
QUIET = 0.4  # for what is not


@dataclass
class Echo:
    """Answers everything with itself, and keeps what it got."""

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
        with suppress(OSError):  # a test may have done so
            listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(echo, tmp_path) -> Iterator[Line]:
    with processes.line(tmp_path / "log", echo.port) as line:
        yield line


@contextmanager
def connected(line: Line) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", line.port), timeout=PATIENCE)) as connection:
        yield connection


def said(connection: socket.socket, words: bytes, *, within: float = PATIENCE) -> bytes | None:
    """The answer; nothing when the connection has ended, None when nobody answers."""
    connection.settimeout(within)
    try:
        connection.sendall(words)
        return connection.recv(1024)
    except TimeoutError:
        return None
    except OSError:
        return b""


def test_an_open_line_passes_everything_on(line):
    with connected(line) as connection:
        assert said(connection, b"COMMIT") == b"COMMIT"


def test_a_cut_ends_the_connections_there_are_and_no_later_one(line):
    with connected(line) as before:
        assert said(before, b"one") == b"one"
        assert line.order("cut") == 1
        with connected(line) as after:
            assert (said(before, b"two"), said(after, b"three")) == (b"", b"three")


def test_a_line_that_refuses_lets_nobody_in_until_it_is_open_again(line):
    line.order("refuse")
    with connected(line) as refused:
        assert said(refused, b"one") == b""
    assert line.order("open") == 1
    with connected(line) as admitted:
        assert said(admitted, b"two") == b"two"


def test_nothing_gets_out_of_a_hole_until_it_closes_and_what_is_sent_again_arrives(line):
    with connected(line) as swallowed:
        line.order("hole")
        assert said(swallowed, b"one", within=QUIET) is None
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", line.port), timeout=QUIET)
        assert line.order("open") >= 2  # what was said, and a knock
        swallowed.settimeout(PATIENCE)
        assert swallowed.recv(1024) == b"one"
    with connected(line) as after:
        assert said(after, b"two") == b"two"


def test_who_asks_for_probes_notices_a_hole_since_the_kernel_beyond_does_not_answer_either(line):
    with connected(line) as waiting:
        for option, seconds in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 2)):
            waiting.setsockopt(socket.IPPROTO_TCP, option, seconds)
        waiting.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        assert said(waiting, b"one") == b"one"
        line.order("hole")
        waiting.settimeout(PATIENCE)

        with pytest.raises(OSError, match="timed out") as noticed:
            waiting.recv(1024)

    assert noticed.value.errno == errno.ETIMEDOUT


def test_a_slow_line_delays_each_way(line):
    line.order("slow", 0.05)
    with connected(line) as connection:
        began = time.monotonic()
        assert said(connection, b"one") == b"one"

    assert time.monotonic() - began >= 0.1
    assert line.order("open") == 2


def test_who_watches_counts_the_connections_that_end_and_those_that_come_to_nothing(line, echo):
    with connected(line) as kept, connected(line) as ended:
        assert said(kept, b"one") == said(ended, b"one") == b"one"
        line.order("watch")
        ended.shutdown(socket.SHUT_WR)
        assert ended.recv(1024) == b""
        echo.listening.shutdown(socket.SHUT_RDWR)
        echo.listening.close()
        with connected(line) as nobody:
            assert said(nobody, b"two") == b""
        assert said(kept, b"three") == b"three"

    assert line.order("open") >= 2


def test_a_line_that_nobody_uses_meets_nothing(line):
    for mode, number in (("cut", 0), ("refuse", 0), ("slow", 0.1), ("hole", 0), ("lose-commit", 9), ("watch", 0)):
        line.order(mode, number)

        assert (mode, line.order("open")) == (mode, 0)


def test_a_commit_whose_answer_is_lost_has_arrived_and_one_that_is_lost_has_not(line, echo):
    line.order("lose-answer", 7)
    with connected(line) as unanswered:
        assert said(unanswered, b"1 COMMIT") == b""
    assert line.order("open") == 1
    line.order("lose-commit", 7)
    with connected(line) as lost:
        assert said(lost, b"2 COMMIT") == b""
    assert line.order("open") == 1
    with connected(line) as connection:
        assert said(connection, b"3 COMMIT") == b"3 COMMIT"

    assert echo.got == [b"1 COMMIT", b"3 COMMIT"]
