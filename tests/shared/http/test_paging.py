"""The link to the next page has the query; an invalid cursor is refused."""

import datetime as dt
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidRequest
from shared.http.paging import PageQuery, TimeCursor, id_cursor
from shared.http.wire import Flag


pytestmark = pytest.mark.http_only
ID = str(uuid.UUID(int=1))


class Rows(PageQuery):
    is_active: Flag | None = None
    name: str | None = None


@given(st.integers(1, 200), st.integers(0, 201))
def test_a_link_is_given_exactly_where_a_row_was_read_beyond_the_page(size, number):
    query = Rows(page_size=size)
    link = query.next_link("/api/rows", range(min(number, query.limit)), lambda row: row)

    assert (link is not None) == (number > size)


def test_a_link_carries_the_filters_that_were_given_and_the_last_row_of_the_page():
    query = Rows.model_validate_strings({"isActive": "false", "name": "a & b", "pageSize": "2", "after": "1"})
    link = urlsplit(query.next_link("/api/rows", [7, 8, 9], lambda row: row))

    assert link.path == "/api/rows"
    assert parse_qs(link.query) == {"isActive": ["false"], "name": ["a & b"], "pageSize": ["2"], "after": ["8"]}


@given(st.uuids(), st.datetimes(dt.datetime(2000, 1, 2), dt.datetime(2999, 12, 30), timezones=st.just(dt.UTC)))  # noqa: DTZ001 - Hypothesis adds the zone
def test_a_cursor_is_read_back_to_the_millisecond(row_id, at):
    cursor = TimeCursor.parse(str(TimeCursor(row_id, at)))

    assert cursor == TimeCursor(row_id, at.replace(microsecond=at.microsecond // 1000 * 1000))


@pytest.mark.parametrize("after", ["", ".", "x", ID, f"{ID}.yesterday", ".2026-11-23T09:30:00Z"])
def test_a_cursor_that_was_made_up_is_refused(after):
    with pytest.raises(InvalidRequest):
        TimeCursor.parse(after)


def test_an_id_that_was_made_up_is_refused():
    assert id_cursor(None) is None
    with pytest.raises(InvalidRequest):
        id_cursor("17")


def test_an_empty_page_after_a_cursor_is_refused_where_rows_are_never_removed():
    Rows().require_rows([])
    with pytest.raises(InvalidRequest):
        Rows(after="1").require_rows([])
