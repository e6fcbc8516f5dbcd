"""The client of all outgoing HTTP, against servers that answer slowly, endlessly or not at all."""

import gzip
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress

import pytest

from devcloud.ports import listen
from shared.deadline import AbandonableThreads, Deadline, DeadlinePassed
from shared.http_client import HttpClient, NoResponse, Request, Response


SECRET = "the-secret"
OK = b"HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Length: 2\r\n\r\nhi"
LIMIT = 0.4


@contextmanager
def serving(*pieces: bytes, pause: float = 0.0, endless: bool = False) -> Iterator[tuple[str, list[str]]]:
    """The address of a server that writes the pieces of a response, and the heads of the requests that it got."""
    over, heads = threading.Event(), list[str]()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = ""
            while (line := self.rfile.readline().decode()).strip():
                head += line
            heads.append(head)
            with suppress(OSError):
                for piece in pieces:
                    self.wfile.write(piece)
                while endless and not over.wait(pause):
                    self.wfile.write(b" ")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/", heads
        finally:
            over.set()
            server.shutdown()


def send(url: str, seconds: float = LIMIT, *, request: Request | None = None, max_bytes: int = 1000):
    """The response, and whether it came before the deadline and half a second."""
    with closing(HttpClient("test", url, max_bytes=max_bytes)) as client:
        began = time.monotonic()
        response = client.send(request or Request("GET", url), Deadline.after(seconds))
        assert time.monotonic() - began < seconds + 0.5
    return response


def test_a_response_is_read_whole_and_its_headers_have_no_case():
    with serving(OK) as (url, _):
        response = send(url, 5)

    assert isinstance(response, Response)
    assert (response.status, response.headers["x-one"], response.body) == (200, "1", b"hi")


@pytest.mark.parametrize(
    "pieces",
    [(), (b"HTTP/1.1 200 OK\r\nX-Slow:",), (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",)],
    ids=["from the first byte", "in its head", "in its body"],
)
def test_a_peer_that_sends_byte_by_byte_does_not_outlast_the_deadline(pieces):
    with serving(*pieces, pause=0.05, endless=True) as (url, _):
        response = send(url)

    assert isinstance(response, NoResponse)
    assert response.may_have_arrived


def test_a_silent_peer_does_not_outlast_the_deadline():
    with serving(pause=60, endless=True) as (url, _):
        response = send(url)

    assert isinstance(response, NoResponse)
    assert response.may_have_arrived


def test_a_name_look_up_that_hangs_does_not_outlast_the_deadline(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(60))

    response = send("http://name.example/")
    over.set()

    assert response == NoResponse("too_slow", may_have_arrived=True)


def test_without_a_listener_or_time_or_for_another_address_nothing_was_sent():
    with listen(0) as listening:
        closed = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    with serving(OK) as (url, heads):
        refused = send(closed, 5)
        late = send(url, 0)
        elsewhere = send(closed, 5, request=Request("GET", url))

    assert refused == NoResponse("ConnectionError", may_have_arrived=False)
    assert late == NoResponse("too_slow", may_have_arrived=False)
    assert elsewhere == NoResponse("InvalidSchema", may_have_arrived=False)
    assert heads == []


def test_a_connection_that_is_closed_without_a_response_may_have_brought_the_request():
    with serving() as (url, _):
        response = send(url, 5)

    assert isinstance(response, NoResponse)
    assert response.may_have_arrived


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_response_beyond_the_limit_is_not_read(is_packed):
    body = gzip.compress(b" " * 1_000_000) if is_packed else b" " * 1001
    encoding = b"Content-Encoding: gzip\r\n" if is_packed else b""
    with serving(b"HTTP/1.1 200 OK\r\n" + encoding + b"Connection: close\r\n\r\n" + body) as (url, _):
        response = send(url, 5)

    assert response == NoResponse("too_large", may_have_arrived=True)


def test_redirects_are_returned_and_cookies_and_credentials_of_the_machine_are_not_sent(monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login x password y")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    redirect = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nSet-Cookie: a=b\r\nConnection: close\r\n\r\n"
    with serving(redirect) as (url, heads), closing(HttpClient("test", url)) as client:
        responses = [client.send(Request("GET", url), Deadline.after(5)) for _ in range(2)]

    assert [isinstance(each, Response) and each.status for each in responses] == [302, 302]
    assert all("Accept-Encoding: identity" in head and "User-Agent: TimeTracker" in head for head in heads)
    assert not any(word in head for word in ("Cookie", "Authorization", "elsewhere") for head in heads)


def test_no_secret_is_in_a_repr():
    request = Request("POST", "http://127.0.0.1/", {"Authorization": SECRET}, SECRET.encode())
    response = Response(200, {"Set-Cookie": SECRET}, SECRET.encode())

    assert SECRET not in repr((request, response, Request.post_form("http://127.0.0.1/", {"code": SECRET})))


def has_started(threads: AbandonableThreads, call: Callable[[], object], seconds: float) -> bool:
    with pytest.raises(DeadlinePassed) as caught:
        threads.run(call, Deadline.after(seconds))
    return caught.value.started


def test_a_call_without_a_free_thread_has_not_started():
    threads, over = AbandonableThreads("test", 1), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(threads.run, lambda: over.wait(20), Deadline.after(20))
        time.sleep(0.05)
        waiting = has_started(threads, over.set, 0.1)
        over.set()
        first.result()

    assert not waiting
    assert threads.run(lambda: 7, Deadline.after(5)) == 7


def test_a_call_that_is_abandoned_has_started_and_frees_its_thread_when_it_ends():
    threads, over = AbandonableThreads("test", 1), threading.Event()

    abandoned = has_started(threads, over.wait, 0.05)
    over.set()

    assert abandoned
    assert threads.run(lambda: 7, Deadline.after(5)) == 7


def test_an_exception_of_the_call_reaches_the_waiting_thread_also_a_timeout():
    def fail():
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        AbandonableThreads("test", 1).run(fail, Deadline.after(5))


def test_without_a_thread_of_the_system_nothing_has_started():
    threads = AbandonableThreads("test", 1)
    usual = threading.stack_size(1 << 46)  # no system has a stack of this size
    try:
        started = has_started(threads, lambda: None, 5)
    finally:
        threading.stack_size(usual)

    assert not started
    assert threads.run(lambda: 7, Deadline.after(5)) == 7


def test_a_step_keeps_the_correlation_id_and_ends_with_the_whole_at_the_latest():
    deadline = Deadline.after(1)

    assert deadline.at_most(60) == deadline
    assert deadline.at_most(0.5).left <= 0.5
    assert deadline.at_most(0.5).correlation_id == deadline.correlation_id
    assert Deadline.after(-1).left == 0
