"""Requests and responses through the host, over real sockets."""

import json
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.devcloud import processes
from tests.devcloud.processes import Host


JSON = {"content-type": "application/json"}
MIB = 1024 * 1024


def until(path: Path, wanted: str, times: int = 1) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text()).count(wanted) >= times:
            return text
        time.sleep(0.02)
    raise AssertionError(f"{wanted!r} never came: {path.read_text() if path.exists() else 'no file'}")


STATUSES = [
    ("POST", "/api/timers?x=1&x=2&e=", b'{"workItem": 42}', 201),
    ("POST", "/api/timers", b"{bad", 400),
    ("POST", "/api/timers", None, 400),
    ("GET", "/api/timers/5?a=b%20c&d", None, 200),
    ("GET", "/api/timers", None, 200),
    ("GET", "/api/timers/", None, 200),
    ("GET", "/api/timers/abc", None, 404),
    ("GET", "/api/timers/-3", None, 200),
    ("GET", "/API/Timers/7", None, 200),
    ("PUT", "/api/timers/5", None, 404),
    ("DELETE", "/api/timers/5", None, 200),
    ("HEAD", "/api/timers/5", None, 404),
    ("GET", "/api/boom", None, 500),
    ("GET", "/api/cookies", None, 200),
    ("GET", "/api/plain/a/b%2Fc/d", None, 200),
    ("GET", "/api/plain", None, 200),
    ("PATCH", "/api/plain/x", None, 200),
    ("POST", "/api/webhooks/marketplace", b"{}", 202),
    ("GET", "/nope", None, 404),
    ("GET", "/timers/5", None, 404),
    ("GET", "//api/timers/5", None, 404),
    ("GET", "/api//timers/5", None, 404),
    ("POST", "/admin/functions/every_night", b"{}", 202),
    ("POST", "/admin/functions/EVERY_NIGHT", b"{}", 202),
    ("POST", "/admin/functions/none", b"{}", 404),
    ("POST", "/admin/functions/boom", b"{}", 404),
    ("GET", "/admin/functions/every_night", None, 404),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), STATUSES)
def test_the_status_is_the_one_azure_answers(sample: Host, method, path, body, status):
    assert sample.call(method, path, body, JSON).status == status


@pytest.mark.parametrize("path", ["/nope", "/api/boom", "/api/nothing", "/api/odd-header"])
def test_the_hosts_own_answers_have_no_body(sample: Host, path):
    answer = sample.call("GET", path)

    assert answer.body == b""
    assert answer.header("content-length") == ["0"]


@pytest.mark.parametrize("path", ["/api/boom", "/api/nothing", "/api/odd-header"])
def test_a_failed_function_is_an_empty_500_and_its_reason_is_in_the_log(sample: Host, path):
    assert sample.call("GET", path).status == 500
    assert sample.call("GET", "/api/boom").status == 500
    assert "boom failed: RuntimeError: boom secret" in sample.log.read_text()


def test_a_created_thing_arrives_as_the_function_wrote_it(sample: Host):
    answer = sample.call("POST", "/api/timers?x=1&x=2&e=", b'{"workItem": 42}', JSON)

    assert json.loads(answer.body) == {"id": 7, "workItem": 42, "query": {"x": "1,2"}}
    assert answer.header("location") == ["/api/timers/7"]
    assert answer.header("content-type") == ["application/json"]


def test_route_values_are_strings_and_absent_ones_are_missing(sample: Host):
    assert json.loads(sample.call("GET", "/api/timers/5").body)["params"] == {"id": "5"}
    assert json.loads(sample.call("GET", "/api/timers").body)["params"] == {}


def test_an_escaped_slash_stays_escaped_and_other_escapes_do_not(sample: Host):
    assert sample.call("GET", "/api/plain/a%20b/c%2Fd/").body == b"hello a b/c%2Fd/"
    assert sample.call("GET", "/api/plain").body == b"hello None"


def test_a_text_is_sent_as_plain_text(sample: Host):
    assert sample.call("GET", "/api/plain/x").header("content-type") == ["text/plain; charset=utf-8"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a=b%20c&d", {"a": "b c"}),
        ("a=1&a=2", {"a": "1,2"}),
        ("a=1&a=&a=2", {"a": "1,2"}),
        ("Name=1&name=2", {"Name": "1,2"}),
        ("a=x+y&b=%C3%A9", {"a": "x y", "b": "é"}),
        ("", {}),
    ],
)
def test_query_values_are_joined_and_empty_ones_dropped(sample: Host, query, expected):
    assert json.loads(sample.call("GET", f"/api/echo?{query}").body)["query"] == expected


def test_the_url_is_the_one_the_caller_used(sample: Host):
    seen = json.loads(sample.call("GET", "/api/echo?a=b%20c").body)

    assert seen["url"] == f"http://127.0.0.1:{sample.port}/api/echo?a=b%20c"
    assert seen["method"] == "GET"


def test_header_names_are_lower_case_and_repeated_ones_joined(sample: Host):
    answer = sample.raw(
        b"GET /api/echo HTTP/1.1\r\nHost: x\r\nX-Thing: 1\r\nX-THING: \xc3\xa9\r\nConnection: close\r\n\r\n"
    )

    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["headers"]["x-thing"] == "1,é"


def test_a_header_that_is_not_utf_8_is_refused(sample: Host):
    answer = sample.raw(b"GET /api/echo HTTP/1.1\r\nHost: x\r\nX-Thing: \xff\r\nConnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")


def test_repeated_set_cookie_headers_stay_and_of_others_the_last(sample: Host):
    answer = sample.call("GET", "/api/cookies")

    assert answer.header("x-dup") == ["2"]
    assert answer.header("set-cookie") == [
        "a=1; path=/; httponly",
        "b=2; expires=Wed, 01 Jan 2031 00:00:00 GMT; max-age=60; path=/x; secure; samesite=lax",
    ]


def test_the_server_does_not_name_itself(sample: Host):
    assert sample.call("GET", "/api/empty").header("server") == []


def test_an_answer_without_content_has_no_length(sample: Host):
    answer = sample.call("GET", "/api/empty")

    assert (answer.status, answer.body, answer.header("content-length")) == (204, b"", [])


def test_a_body_with_a_length_arrives_complete(sample: Host):
    body = b"x" * (3 * MIB)

    assert len(json.loads(sample.call("POST", "/api/echo", body).body)["body"]) == len(body)


def test_a_chunked_body_arrives_empty(sample: Host):
    answer = sample.call("POST", "/api/echo", iter([b"some", b"thing"]))

    assert json.loads(answer.body)["body"] == ""


def test_a_body_over_the_platforms_limit_is_refused_before_it_is_read(sample: Host):
    answer = sample.raw(b"POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 104857601\r\nConnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_the_first_name_wins_not_the_most_exact_route(sample: Host):
    assert sample.call("GET", "/api/shadow/exact").body == b"first_of_two"


def test_a_wrong_method_falls_through_to_a_later_function(sample: Host):
    assert sample.call("PUT", "/api/shadow/exact").body == b"zz_rest_of_shadow"
    assert sample.call("OPTIONS", "/api/shadow/a/b/c").body == b"zz_rest_of_shadow"


def test_the_trace_of_the_caller_reaches_the_function(sample: Host):
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    followed = json.loads(sample.call("GET", "/api/timers/1", None, {"traceparent": parent}).body)
    started = json.loads(sample.call("GET", "/api/timers/1").body)

    assert followed["trace"] == parent
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", started["trace"])


def test_plain_functions_share_the_threads_the_setting_allows(sample: Host):
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda _: sample.call("GET", "/api/slow?s=1").body, range(8)))
    took = time.monotonic() - started

    assert len(set(names)) == 4
    assert 2 <= took < 7  # one after the other they would take 8


def test_the_sample_settings_reach_the_app_unless_they_are_set(sample: Host, tmp_path):
    assert sample.call("GET", "/api/given").body == b"by the file"
    with processes.host(tmp_path / "log", GIVEN="by the user") as host:
        assert host.call("GET", "/api/given").body == b"by the user"


def test_a_function_over_the_limit_is_a_504_and_runs_to_its_end(tmp_path):
    notes = tmp_path / "notes"
    with processes.host(tmp_path / "log", "--http-limit", "0.2", NOTES=str(notes)) as host:
        assert host.call("GET", "/api/slow?s=2").status == 504
        until(notes, "slow ended")
        assert "slow took longer than 0.2 s" in host.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_host_finishes_present_requests(tmp_path, number):
    notes = tmp_path / "notes"
    with processes.host(tmp_path / "log", NOTES=str(notes)) as host, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(host.call, "GET", "/api/slow?s=0.8")
        until(notes, "slow began")
        host.process.send_signal(number)

        assert answer.result(30).status == 200
        assert host.process.wait(30) == 0
        assert host.log.read_text() == ""


def test_a_taken_port_is_one_line(sample: Host):
    done = processes.devcloud("host", "--app", str(processes.SAMPLE), "--port", str(sample.port))

    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"host: port {sample.port} is taken: stop the program that uses it, or choose another port with --port"
    ]


def test_a_timer_function_is_run_by_name(tmp_path):
    notes = tmp_path / "notes"
    app = str(processes.SAMPLE)

    assert processes.devcloud("host", "--app", app, "--run", "every_night", NOTES=str(notes)).returncode == 0
    assert notes.read_text() == "every_night ran\n"
    assert processes.devcloud("host", "--app", app, "--run", "failing_timer").returncode == 1
    unknown = processes.devcloud("host", "--app", app, "--run", "boom")
    assert unknown.returncode == 2
    assert unknown.stderr.startswith("host: boom is not a timer function of the app; these are: every_night, ")


def test_timers_follow_their_schedule_and_a_failed_one_waits_for_the_next(tmp_path):
    notes = tmp_path / "notes"
    ran = ("every_second past_due=False status={}", "failing_timer ran")
    with processes.host(tmp_path / "log", "--timers", NOTES=str(notes)) as host:
        began = time.monotonic()
        for each in ran:
            until(notes, each, times=5)
        text, took = notes.read_text(), time.monotonic() - began
        until(host.log, "failing_timer failed and waits for its next time: RuntimeError: no luck")

    assert max(map(text.count, ran)) <= took + 2  # at once, they would have run five times within a second


def test_a_run_longer_than_its_interval_delays_the_next_one(tmp_path):
    notes = tmp_path / "notes"
    with processes.host(tmp_path / "log", "--timers", NOTES=str(notes), EVERY_SECOND_TAKES="1.5"):
        began = time.monotonic()
        until(notes, "every_second", times=3)
        text, took = notes.read_text(), time.monotonic() - began
    lines = [line for line in text.splitlines() if line.startswith("every_second")]

    assert len(lines) <= took / 1.5 + 2
    assert not any("overlaps" in line for line in lines)
    assert not lines[0].startswith("every_second past_due=True")


def test_timers_do_not_run_unless_asked_for(tmp_path):
    notes = tmp_path / "notes"
    with processes.host(tmp_path / "log", NOTES=str(notes)) as host:
        time.sleep(1.2)
        assert not notes.exists()
        host.call("POST", "/admin/functions/every_night", b"{}")
        until(notes, "every_night ran")
