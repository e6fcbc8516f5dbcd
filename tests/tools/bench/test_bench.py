"""The parts of the bench that could lie without falling over: its arithmetic, its checks, its data."""

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
import typer
import xlsxwriter
from typer.testing import CliRunner

from shared.db.schema import metadata
from tools.bench.__main__ import DATA, PAGE, main
from tools.bench.bench import Bench
from tools.bench.data import database as ground
from tools.bench.data import rows
from tools.bench.data.directory import directory
from tools.bench.data.engines import Postgres, Sqlite
from tools.bench.floors import peer_host
from tools.bench.load import processes
from tools.bench.load.exchanges import Read, StartAndStop, WrongAnswer
from tools.bench.load.generator import Measured
from tools.bench.load.processes import Host
from tools.bench.load.rounds import LoadFailed, figures, load, load_slices, median_of, percentile, ratio
from tools.bench.parts import exports
from tools.bench.parts.registry import PARTS, Scale, _exported
from tools.bench.report import chart
from tools.bench.report import page as document
from tools.bench.report import report_tables as tables_reports
from tools.bench.report import result_store as kept
from tools.bench.report.result import Bar, Found
from tools.bench.report.tables import Table


command = typer.Typer()
command.command()(main)


def talk() -> StartAndStop:
    return StartAndStop(host="127.0.0.1:1", base="/api/timers", token="t", first_item=0)


def answered(**body: object) -> bytes:
    return json.dumps(body).encode()


def test_a_percentile_is_a_latency_that_was_measured():
    values = [float(number * 1000) for number in range(1, 101)]

    assert (percentile(values, 50), percentile(values, 99), percentile(values, 100)) == (51.0, 100.0, 100.0)


def test_a_ratio_compares_rounds_that_ran_side_by_side():
    found = ratio([2.0, 30.0, 4.0], [1.0, 10.0, 2.0])

    assert (found.median, found.least, found.most) == (2.0, 2.0, 3.0)


def test_start_and_stop_count_as_one_thing():
    measured = Measured(seconds=2.0, latencies={"start": [1000.0, 3000.0], "stop": [2000.0, 2000.0]}, server_cpu=0.004)
    found = figures([measured], "start", "stop")

    assert median_of(measured, "start", "stop") == 4.0
    assert (found.requests, found.rps, found.server_cpu_ms, found.most) == (4, 2.0, 1.0, 3.0)


def test_start_and_stop_alternate_each_with_a_fresh_key():
    one = talk()
    start = one.request()
    names = [one.judge(201, answered(id="a", workItemId=1))]
    rest = [one.at_rest]
    stop = one.request()
    names.append(one.judge(200, answered(id="a", workItemId=1)))
    rest.append(one.at_rest)

    assert (names, rest) == (["start", "stop"], [False, True])
    assert (start.split()[1], stop.split()[1]) == (b"/api/timers/start", b"/api/timers/stop")
    assert start.split(b"Idempotency-Key: ")[1][:36] != stop.split(b"Idempotency-Key: ")[1][:36]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"id": "a", "workItemId": 1}),
        (201, {"id": "a", "workItemId": 2}),
        (409, {"code": "timer_already_running"}),
    ],
)
def test_a_wrong_answer_to_a_start_is_found_out(status, body):
    one = talk()
    one.request()

    with pytest.raises(WrongAnswer):
        one.judge(status, answered(**body))


def test_a_stop_must_answer_the_timer_that_was_started():
    one = talk()
    one.request()
    one.judge(201, answered(id="a", workItemId=1))
    one.request()

    with pytest.raises(WrongAnswer):
        one.judge(200, answered(id="b", workItemId=1))


def test_a_read_must_hold_what_is_expected_and_never_change():
    one = Read(host="127.0.0.1:1", path="/x", token="t", expected='"totalMs":7')
    with pytest.raises(WrongAnswer):
        one.judge(200, b'{"totalMs":8}')

    assert one.judge(200, b'{"totalMs":7}') == "read"
    with pytest.raises(WrongAnswer):
        one.judge(200, b'{"totalMs":7 }')


def test_a_row_that_is_not_as_wide_as_its_head_is_refused():
    with pytest.raises(ValueError, match="as wide"):
        Table("x", ("a", "b"), [["1"]])


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path):
    if request.param == "sqlite":
        return Sqlite(tmp_path)
    return Postgres(request.getfixturevalue("postgres_server"))


def test_the_data_has_as_many_entries_as_are_asked_for_and_is_made_once(engine):
    steps: list[float] = []
    made = ground.filled(engine, 20_000, steps.append)
    again: list[float] = []

    assert ground.filled(engine, 20_000, again.append) == made
    assert (len(steps) > 1, again) == (True, [1.0])
    assert made.total("2024-12")[0] == 400
    assert made.total("2026-06")[0] == pytest.approx(19_600 / 24, rel=0.1)
    assert made.total("2024-01", "2026-12")[0] == 20_000
    engine.drop(made.database)


def test_every_engine_is_filled_with_the_same_rows_and_keeps_its_indexes_and_keys(engine):
    made = ground.filled(engine, 20_000, lambda _: None)
    connected = sa.create_engine(made.url)
    inspector = sa.inspect(connected)
    indexes = {name: {index["name"] for index in inspector.get_indexes(name)} for name in rows.COLUMNS}
    keys = {name: len(inspector.get_foreign_keys(name)) for name in rows.COLUMNS}
    connected.dispose()

    of_june = [int(day[7]) for _, day in rows.rows(20_000) if day[3] == 202606]
    assert made.total("2026-06") == (len(of_june), sum(of_june))
    assert all({index.name for index in metadata.tables[name].indexes} <= indexes[name] for name in rows.COLUMNS)
    assert keys == {name: len(metadata.tables[name].foreign_key_constraints) for name in rows.COLUMNS}
    engine.drop(made.database)


def test_no_person_has_two_entries_on_one_item_and_day_so_a_long_csv_is_as_long_as_the_table():
    days = [(day[2], day[4], day[6]) for _, day in rows.rows(50_000)]

    assert len(set(days)) == len(days)


def test_tables_that_the_disk_has_no_room_for_are_refused_before_they_are_filled(tmp_path):
    with pytest.raises(ground.NoSpace, match="MiB"):
        ground.space(tmp_path, [Sqlite(tmp_path)], [10**13])


def test_an_export_is_counted_and_added_up_without_the_product():
    body = "\ufeffPerson,Milliseconds\r\nAda,5\r\nBen,7\r\n".encode()

    assert exports.csv_rows(body) == (2, 12)


def test_the_table_and_the_sentence_tell_the_same_memory_of_an_export():
    """Of hosts that keep what each export took."""

    def taken(rest: float, peak: float) -> exports.Taken:
        return exports.Taken(2.0, 2.0, rest, peak, 10**6, 0.0)

    ours = [taken(90, 131), taken(130, 136), taken(134, 135)]
    found = exports.Export("SQLite", "CSV", 100_000, [taken(60, 70)] * 3, ours)
    shown = tables_reports.export_table([found])
    row = dict(zip(shown.head, shown.rows[0], strict=True))

    assert (row["MB before"], row["MB at peak"]) == ("90", "136")
    assert "has 46.00 MB more at the peak than before the first export, in all 136 MB: met." in _exported(found)[1]


def test_a_workbook_is_counted_by_the_pieces_it_lists():
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"constant_memory": True})
    look = book.add_format({"num_format": "0"})
    book.add_worksheet("Summary").write_row(0, 0, ["Total", 1, 2, 3, 4])
    details = book.add_worksheet("Details")
    details.write_row(0, 0, ["Date", "Person", "Project", "Work item", "Title"])
    for row in (1, 2, 3):
        details.write_string(row, 0, "2026-06-01")
        details.write_number(row, 3, 17, look)
    details.write_string(4, 3, "")
    book.close()

    assert exports.workbook_rows(file.getvalue()) == (3, None)


def test_the_peak_of_a_process_is_forgotten_on_request():
    taking = "b = bytearray(60 * 2**20); del b; print('ready', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", taking], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before = processes.peak_mb([process.pid])
        processes.reset_peak([process.pid])
        after = processes.peak_mb([process.pid])
        process.communicate(b"\n")

    assert before > 60
    assert after < before - 50


@pytest.fixture(scope="module")
def bench(tmp_path_factory, postgres_server):
    folder = tmp_path_factory.mktemp("bench")
    with directory() as issuing:
        yield Bench(issuing, folder, [Sqlite(folder), Postgres(postgres_server)], 1, 0.2, lambda _step, _done: None)


TOLD = {
    "pairs": "| **ours** | 8 |",
    "peer": "| month of 826 in 20,000 | 1 | TimeTagger |",
    "rates": "| PostgreSQL | 50 |",
    "layers": "statements",
    "calls": "| **ours** | PostgreSQL | 20 |",
    "months": "thin month | PostgreSQL | 400",
    "growth": "1,669",
    "exports": "workbook",
    "billing": "| PostgreSQL | 200 | 20,000 | 4,000 |",
    "soak": "| 0.1 |",
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", PARTS)
def test_each_part_measures_every_engine_it_is_about_on_little_data(bench, name):
    found = PARTS[name](bench, Scale(20_000, [20_000, 40_000], 0.1))
    shown = "\n".join(table.markdown() for table in found.tables.values()) + found.verdict

    assert ("PostgreSQL" in shown) is (name not in {"pairs", "peer", "layers"})
    assert TOLD[name] in shown


@pytest.fixture
def found():
    """What every part found, each with a table of its own."""
    table = Table("x", ("a", "b"), [["1", "2"]])
    more = {
        "pairs": ("pairs", "ratios"),
        "peer": ("peer", "peer_ratios"),
        "billing": ("closing", "previews"),
        "calls": ("sign_ins", "webhooks", "starts"),
    }
    run = ("scripts/bench", "2026-11-25", "2 cores, PostgreSQL 15")
    return {part: Found(dict.fromkeys(more.get(part, (part,)), table), f"{part} held.", [], *run) for part in PARTS}


def test_the_page_shows_every_part_its_verdict_and_its_run(found):
    page = document.document(found, rounds=3)

    assert page.count("| 1 | 2 |") == len(PARTS) + 5
    assert all(f"{part} held." in page for part in PARTS if part != "layers")
    assert all(f"| {part} | `scripts/bench` | 2026-11-25 |" in page for part in PARTS)
    assert "PostgreSQL 15" in page
    assert max(map(len, page.splitlines())) <= 120


def test_what_a_part_found_is_kept_as_it_was(found, tmp_path):
    bars = [Bar("start + stop", {"floor": 1.0, "ours": 1.5, "TimeTagger": 5.0})]
    measured = replace(found["peer"], bars=bars)
    kept.keep(tmp_path, "peer", measured)

    assert kept.newest(tmp_path, tmp_path / "page.json", ("peer", "pairs")) == {"peer": measured}


def test_what_another_bench_kept_is_as_good_as_never_measured(found, tmp_path):
    kept.keep(tmp_path, "peer", found["peer"])
    file = tmp_path / "peer.json"
    file.write_text(file.read_text().replace('"form": 1', '"form": 0'))

    assert kept.newest(tmp_path, tmp_path / "page.json", ("peer",)) == {}


@pytest.mark.parametrize(
    ("here", "shown"), [("2026-11-24", "published"), ("2026-11-25", "here"), ("2026-11-26", "here")]
)
def test_a_part_that_was_not_measured_again_is_as_published(found, tmp_path, here, shown):
    page_data = tmp_path / "page.json"
    kept.publish(page_data, {name: replace(each, verdict="published") for name, each in found.items()})
    kept.keep(tmp_path, "peer", replace(found["peer"], verdict="here", day=here))
    newest = kept.newest(tmp_path, page_data, PARTS)

    assert newest["peer"].verdict == shown
    assert {each.verdict for name, each in newest.items() if name != "peer"} == {"published"}


def test_the_published_page_and_its_data_say_the_same(tmp_path):
    assert PAGE.read_text() == document.document(kept.newest(tmp_path, DATA, PARTS), rounds=5)


def test_the_chart_has_every_bar_with_its_figure_and_is_the_same_each_time(tmp_path):
    bars = [Bar("start + stop", {"floor": 1.0, "ours": 1.5, "TimeTagger": 5.0})]
    drawn = []
    for file in (tmp_path / "a.svg", tmp_path / "b.svg"):
        chart.draw(bars, file)
        drawn.append(file.read_text())

    assert all(told in drawn[0] for told in ("start + stop", "1.5 ms", "5 ms", "TimeTagger"))
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [(["--part", "x"], "the parts are"), (["x"], "the parts are"), (["--quick", "--write"], "no measurement")],
)
def test_a_wrong_part_and_a_page_of_a_smoke_run_are_refused(words, told, installs):
    refused = CliRunner().invoke(command, words)

    assert refused.exit_code == 2
    assert told in refused.output
    assert installs == []


@pytest.fixture
def installs(monkeypatch):
    """How the peer would be installed; there is no network."""
    asked: list[tuple[str, ...]] = []

    def run(words: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(words)
        return subprocess.CompletedProcess(words, 1)

    monkeypatch.setattr(peer_host, "subprocess", SimpleNamespace(run=run))
    return asked


def test_a_run_that_measures_the_peer_installs_it_first_and_ends_where_it_cannot(installs):
    ended = CliRunner().invoke(command, ["--part", "pairs,peer"])

    assert ended.exit_code == 1
    assert "bench: TimeTagger, which is measured beside ours, could not be installed" in ended.output
    assert installs == [("scripts/venv", "requirements-peer.txt", ".venv-peer")]


def test_help_installs_nothing(installs):
    helped = CliRunner().invoke(command, ["--help"])

    assert (helped.exit_code, installs) == (0, [])
    assert "venv-peer" not in (processes.PROJECT / "scripts" / "bench").read_text()


class Pausing:
    """A server that takes `seconds` for each request; the fourth of a connection may stay without an answer."""

    def __init__(self, seconds: float, *, forgets_the_fourth: bool = False) -> None:
        self._seconds, self._forgets = seconds, forgets_the_fourth
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self.connections = 0
        self.host = Host(self._listening.getsockname()[1], os.getpid())

    def __enter__(self) -> Host:
        self._accepting.start()
        return self.host

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)  # whoever waits in accept would wait on after a close alone
        self._accepting.join(20)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            number = 0
            while connection.recv(65536):
                number += 1
                time.sleep(self._seconds)
                if not (self._forgets and number == 4):
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


READING = {"kind": "read", "path": "/", "token": "t", "expected": "{}"}


def test_at_a_fixed_rate_what_waits_behind_a_slow_answer_has_been_waiting():
    with Pausing(0.15) as slow:
        measured = load(slow, [READING], seconds=0.75, warm_up=0.0, rate=20)

    assert len(measured.latencies["read"]) >= 14  # also those that were due while five were answered
    for number, micros in enumerate(measured.latencies["read"], 1):
        assert micros >= (number * 150 - (number - 1) * 50) * 1000


def test_an_answer_that_comes_after_the_end_counts_with_all_its_latency():
    with Pausing(1.0) as slow:
        measured = load(slow, [READING] * 4, seconds=1.25, warm_up=0.0)

    assert measured.answers == 8
    assert min(measured.latencies["read"]) >= 1_000_000


@pytest.mark.parametrize("rate", [None, 40])
def test_a_request_that_is_never_answered_fails_the_round(rate):
    with Pausing(0.01, forgets_the_fourth=True) as server, pytest.raises(LoadFailed, match=r"no answer in \d\.\d s"):
        load(server, [READING, READING], seconds=0.8, warm_up=0.0, rate=rate, drain=0.5)


@pytest.mark.parametrize("others", [0, 1])
def test_an_answer_that_is_wrong_in_the_warm_up_fails_the_round(others):
    wrong = {**READING, "expected": "something else"}

    with Pausing(0.01) as server, pytest.raises(LoadFailed, match="1 answers wrong or missing: read: 200"):
        load(server, [wrong, *[READING] * others], seconds=0.3, warm_up=0.3)


def test_a_run_in_slices_keeps_its_connections_and_counts_every_answer_once():
    pausing = Pausing(0.01)
    with pausing as server:
        slices = list(load_slices(server, [READING, READING], slices=4, seconds=0.5, warm_up=0.0, rate=40))

    assert pausing.connections == 2
    assert [len(each.latencies["read"]) for each in slices] == [pytest.approx(20, abs=10)] * 4
    assert sum(each.answers for each in slices) == pytest.approx(80, abs=2)


def test_a_run_in_slices_that_is_over_early_still_waits_for_every_answer():
    with Pausing(0.3) as slow:
        slices = list(
            load_slices(slow, [READING] * 4, slices=1000, seconds=0.1, warm_up=0.0, rate=None, is_over=lambda: True)
        )

    assert len(slices) < 20
    assert sum(each.answers for each in slices) % 4 == 0
