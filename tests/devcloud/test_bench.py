"""The parts of the bench that could lie without falling over: its arithmetic, its checks, its data."""

import json

import pytest

from devcloud.bench import ground
from devcloud.bench.exchanges import Read, StartAndStop, WrongAnswer
from devcloud.bench.load import Measured
from devcloud.bench.measure import figures, median_of, percentile, ratio
from devcloud.bench.tables import Table


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


def test_the_data_has_as_many_entries_as_are_asked_for_and_is_made_once(tmp_path):
    made = ground.filled(tmp_path, 5_000, lambda _: None)
    before = made.stat().st_mtime_ns

    assert ground.filled(tmp_path, 5_000, lambda _: None) == made
    assert made.stat().st_mtime_ns == before
    assert ground.month_total(made, ground.THIN_MONTH)[0] == ground.THIN_ENTRIES
    assert 150 < ground.month_total(made, ground.REPORT_MONTH)[0] < 250
