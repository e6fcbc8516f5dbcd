"""The webhook's round in the bench: what fails it, and what the floor and the product ask in it."""

import contextlib
import os
import threading
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tools.bench.bench import Bench
from tools.bench.data import database as ground
from tools.bench.data import marketplace as market
from tools.bench.data.directory import directory
from tools.bench.data.engines import Sqlite
from tools.bench.load.processes import Host
from tools.bench.load.rounds import LoadFailed
from tools.bench.parts.webhooks import Called, Heard, hosts, run, told_of_changes
from tools.bench.report import call_tables as tables_calls


@pytest.fixture
def bench(tmp_path):
    with directory() as issuing:
        yield Bench(issuing, tmp_path, [Sqlite(tmp_path)], 1, 0.2, lambda _step, _done: None)


@pytest.fixture
def sold(bench):
    with market.running(bench.directory) as sold:
        yield sold


@pytest.fixture
def on(bench):
    return ground.empty(bench.sqlite, "webhooks")


def hits(sold):
    """How often each endpoint of the Marketplace was asked."""
    return Counter(sold.admin.carry_out("GET stats", {})["hits"])


@contextlib.contextmanager
def answering(status):
    """Somebody who does nothing, and answers that status to whatever is posted, or never where it is None."""
    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            if status is None:
                is_over.wait(20)
                return
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    try:
        yield Host(server.server_port, os.getpid())
    finally:
        is_over.set()
        server.shutdown()
        serving.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (500, r"3 calls of the webhook were answered \[500\]"),
        (409, r"3 calls of the webhook were answered \[409\]"),
        (202, r"3 calls of the webhook were answered \[202\]"),
        (None, r"3 calls of the webhook were answered \[0\]"),
        (200, "kept 0 of 3 changes"),
    ],
)
def test_a_floor_that_answers_wrongly_or_never_or_keeps_nothing_fails_the_round(sold, on, status, told):
    sold.admin.carry_out("POST pace", {"answer_seconds": 10.0 if status else 0.2})
    given = {"plan": "seats", "quantity": 1, "active": True}
    customers = [sold.admin.carry_out("POST buy", given)["subscription"] for _ in range(3)]

    with answering(status) as wrong, pytest.raises(LoadFailed, match=told):
        told_of_changes(sold, customers, Called(wrong, on.url), 2)


def test_floor_and_ours_keep_every_change_and_ask_the_marketplace_what_the_page_says(bench, sold, on):
    customers = market.bought(sold, market.our_settings(bench.directory, on, sold))
    calls, asked = [], []
    with hosts(bench, on, sold) as (floor, ours):
        for seats, called in enumerate((floor, ours, floor, ours), market.SEATS + 1):
            before = hits(sold)
            calls.append(len(told_of_changes(sold, customers, called, seats)))
            asked.append(dict(hits(sold) - before))

    assert calls == [20] * 4
    assert asked[:2] == [{"operation": 20, "get": 20}] * 2
    assert asked[2:] == [{"operation": 20, "get": 20}, {"operation": 40, "get": 20}]


def test_floor_and_ours_take_turns_and_the_same_people_work_at_each_in_every_round(bench):
    """A load that left a timer running would be answered 409 in the next round."""
    [heard] = run(replace(bench, rounds=2))

    assert [len(calls) for calls in (*heard.floor, *heard.ours)] == [20] * 4
    assert 0 < heard.over.least <= heard.over.median <= heard.over.most


def test_the_floor_takes_no_token_that_was_not_given_to_the_marketplace_for_this_app(bench, sold, on):
    with hosts(bench, on, sold) as (floor, _):
        market.call_at(sold, floor.host.port)
        answers = [
            sold.admin.carry_out("POST event", {"body": {}, **wrong})["status"]
            for wrong in (
                {"claims": {"aud": "x"}},
                {"claims": {"iss": "x"}},
                {"claims": {"exp": 1}},
                {"key": "unpublished"},
            )
        ]

    assert answers == [500] * 4


def test_the_table_of_the_webhook_has_the_floor_the_ratio_of_the_rounds_and_its_spread():
    heard = Heard(
        "PostgreSQL", [[10.0, 20.0, 30.0], [10.0, 10.0, 40.0], [5.0, 5.0, 5.0]], [[40.0] * 3, [30.0] * 3, [5.0] * 3]
    )
    shown = tables_calls.webhook_table([heard]).markdown().splitlines()

    assert shown[2:] == [
        "| floor | SQLite | 9 | 10.0 | 40.0 | 40.0 | 40.0 |  |",
        "| **ours** | PostgreSQL | 9 | 30.0 | 40.0 | 40.0 | 40.0 | 2.00 (1.00 to 3.00) |",
    ]
