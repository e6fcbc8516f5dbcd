"""The scans of logs and tables find forbidden values."""

import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.support import markers
from tests.support.logs import LogCollector, LogFile, find_forbidden, find_leaks
from tests.support.world import Http


TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiI"
STORED = {
    TOKEN: "a token",
    f'["{markers.ADDRESS}:50123"]': "an IPv4 address",
    "2001:db8:0:0:0:0:0:77": "an IPv6 address",
    f"client {markers.AGENT.lower()}": "a user agent",
    f'{{"city": "{markers.PLACE}"}}': "a place",
}
LOGGED = STORED | {
    "user_email=ada@contoso.example": "an e-mail address",
    "for Ada Lovelace": "a name of somebody",
    "GET /api/marketplace/landing?token=abc": "a purchase token",
    "(sqlite3.IntegrityError) [parameters: ('x',)]": "parameters of a statement",
}


@pytest.mark.parametrize(("text", "what"), LOGGED.items())
def test_every_marker_is_found_anywhere_in_a_log(text, what, log_collector, tmp_path):
    logging.getLogger("some.library").info("it said %s", text)
    here = find_leaks(log_collector.read_new())
    (tmp_path / "log").write_text(f"fine\n{text}\nnot yet whole {text}")
    there = find_leaks(LogFile(tmp_path / "log").read_new())

    assert [line.partition(":")[0] for line in here] == [what]
    assert [line.partition(":")[0] for line in there] == [what]


@pytest.mark.parametrize(("text", "what"), STORED.items())
def test_forbidden_data_is_found_in_a_column(text, what):
    assert find_forbidden([("users.email", text), ("users.role", "admin")]) == {("users.email", what)}


def test_each_line_of_a_process_is_read_once(tmp_path):
    log_file = LogFile(tmp_path / "log")
    before = log_file.read_new()
    (tmp_path / "log").write_text("one\ntw")
    first = log_file.read_new()
    with (tmp_path / "log").open("a") as file:
        file.write("o\n")

    assert (before, first, log_file.read_new(), log_file.read_new()) == ([], ["one"], ["two"], [])


def test_logs_of_emulators_are_not_of_the_product():
    collector = LogCollector()
    for name in ("devcloud.emulators.entra", "timetracker"):
        collector.handle(logging.LogRecord(name, logging.INFO, "", 0, name, None, None))

    assert collector.lines == ["timetracker"]


def test_a_person_without_an_account_is_found_by_address_and_id(world):
    gone, stays = world.person(), world.person()
    whom = markers.identifiers_without_account([stays.oid])
    found = markers.find_identifiers(
        [("a", f"asked {gone.email.upper()}, then left"), ("b", f'{{"by": "{gone.oid}"}}'), ("c", stays.email)], whom
    )

    assert found == {("a", gone.oid), ("b", gone.oid)}


def test_every_request_of_the_tests_carries_the_markers():
    came: list[dict[str, str]] = []

    class Echo(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            came.append(dict(self.headers))
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        answering = threading.Thread(target=server.handle_request)
        answering.start()
        Http(f"http://127.0.0.1:{server.server_port}").send("GET", "no-route-of-the-product")
        answering.join()

    assert markers.HEADERS.items() <= came[0].items()
