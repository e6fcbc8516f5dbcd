"""Only expected refusals are omitted from the fuzzer's failures."""

import pytest

from tests.fuzz.semantic_rules import is_expected_refusal


TIME = "must be a time from the year 2000 on, with its offset from UTC, like 2026-11-23T09:30:00Z"
DATE = "must be a date from the year 2000 on, like 2026-11-23"
DAY = "must be a day like 2026-11-23"
TAG = 'must be an ETag from a response, like "3"'


@pytest.mark.parametrize(
    ("detail", "explained", "defect"),
    [
        ("must have at most 100 characters", "\U0001f600" * 51, "a" * 101),
        ("must have at most 100 characters", "a" * 99 + "\U0001f600", "\U0001f600" * 50),
        (TIME, "1999-11-23T09:30:00Z", "2026-11-23T09:30:00+05:30"),
        (TIME, "2000-01-01T00:00:00+02:00", "2000-01-02T00:00:00+02:00"),
        (TIME, "2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
        (DATE, "3000-01-01", "2026-11-23"),
        (DAY, "2026-02-30", "2026-02-28"),
        (TAG, "0", '"0"'),
    ],
)
def test_a_refusal_of_a_value_is_expected_only_for_values_that_no_schema_can_distinguish(detail, explained, defect):
    def check(value: object) -> list[bool]:
        body = {"items": [{}, {"name": value}]}
        return [
            is_expected_refusal("/items/1/name", detail, body=body, parameters={}),
            is_expected_refusal("name", detail, body=None, parameters={"name": value}),
        ]

    assert check(explained) == [True, True]
    assert check(defect) == check(7) == [False, False]


def test_a_refusal_of_a_value_that_was_not_sent_is_unexpected():
    assert not is_expected_refusal("/name", TIME, body=[], parameters={})
    assert not is_expected_refusal("name", TIME, body={"name": "1999-11-23T09:30:00Z"}, parameters={})


def test_a_refusal_with_another_detail_is_unexpected():
    assert is_expected_refusal("/note", "must not be blank", body={}, parameters={})
    assert not is_expected_refusal(
        "/note", "must have at least 100 characters", body={"note": "a" * 101}, parameters={}
    )
