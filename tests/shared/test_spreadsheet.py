import csv
import datetime as dt
import io
import itertools
import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.spreadsheet import EXCEL_EN, EXCEL_EU, Cell, Dialect, escape, to_csv
from shared.spreadsheet_conversions import is_converted
from tests.support import rfc4180
from tests.support.spreadsheets import remove_apostrophes


SEPARATORS = (",", ";", "\t", "|")
DIALECTS = [Dialect(separator, decimal) for separator in SEPARATORS for decimal in ".," if separator != decimal]
hostile = st.text(st.sampled_from("=+-@\t\r\n;,|'\" 1e/:.x＝＠"), max_size=12)  # noqa: RUF001 - the letters meant
texts = st.text(st.characters(exclude_categories=["Cs"])) | hostile


def read(raw: bytes, dialect: Dialect = EXCEL_EN) -> list[list[str]]:
    text = raw.decode("utf-8-sig")
    table = list(csv.reader(io.StringIO(text, newline=""), delimiter=dialect.separator, strict=True))
    assert rfc4180.read(text, separator=dialect.separator) == table
    return table


@given(texts)
@example("'=1")
@example("''=1")
@example("it's")
@example('a;"=1"')
@example("'007")
@example("1\t-5")
def test_a_text_is_unchanged_after_removing_its_apostrophes(text):
    assert remove_apostrophes(escape(text)) == text


@given(st.lists(texts, min_size=1), st.sampled_from(DIALECTS))
def test_a_text_is_one_cell_and_nothing_but_marks_is_added(row, dialect):
    got = read(to_csv(["head"], [[*row, "end"]], dialect), dialect)[1]

    assert [remove_apostrophes(cell) for cell in got] == [*row, "end"]


@given(texts, st.sampled_from(DIALECTS), st.sampled_from([*SEPARATORS, ",;", ",;\t", ",;\t|"]), st.booleans())
@example("a;=1+1;b", EXCEL_EN, ";", True)  # noqa: FBT003 - an example has values alone
@example('a;"=1+1&""', EXCEL_EN, ";", True)  # noqa: FBT003 - as above
@example('a,"=1"', EXCEL_EU, ",", True)  # noqa: FBT003 - as above
def test_no_cell_begins_a_formula_with_any_separator(text, dialect, separators, quotes):
    line = to_csv(["head"], [["x", text, "y"]], dialect).decode("utf-8-sig").split("\r\n", 1)[1]
    cells = excel_cells(line, separators) if quotes else re.split(f"[{re.escape(separators)}\r\n]", line)

    assert not [cell for cell in cells if cell.lstrip('"\t\r\n').startswith(tuple("=+-@＝＋－＠"))]  # noqa: RUF001 - as above


def excel_cells(line: str, separators: str) -> list[str]:
    """Parses like Excel: a quote counts at the beginning of a cell, and text after the closing quote is literal."""
    cells, cell, quoted, letters = [], "", False, iter(line)
    for letter in letters:
        if quoted:
            if letter != '"':
                cell += letter
                continue
            following = next(letters, "")
            if following == '"':
                cell += '"'
                continue
            quoted, letter = False, following  # noqa: PLW2901 - the one behind the quote
        elif letter == '"' and not cell:
            quoted = True
            continue
        if letter in separators or letter in "\r\n":
            cells.append(cell)
            cell = ""
        else:
            cell += letter
    return [*cells, cell]


DATES = [
    *("Monday, March 4, 2026", "Mon, 4 Mar 2026", "Mittwoch, 4. März 2026", "March 4, 2026 10:00"),
    *("1/2/26 10:00 PM", "2026-03-04 10:00 am", "2026-03-04T10:00:00", "2026-03-04T10:00:00.5Z"),
]
GUESSED = [
    *DATES,
    "007",
    "1e5",
    "1E+5",
    "3/4",
    "3-4",
    "1.5",
    "1,5",
    "(5)",
    "5 %",
    "10:30",
    "10 am",
    "4. März 2026",
    "TRUE",
]
PLAIN = [
    "Monday",
    "Sprint 4 of March",
    "Team T1",
    "2026-03-04Today",
    "Team 1",
    "Website",
    "Mai",
    "August",
    "C++",
    "1/2 day",
    "v1.5",
    "#12",
    "Ünï",
    "a, b; c | d",
    "it's",
]


@pytest.mark.parametrize("text", GUESSED)
def test_text_that_a_spreadsheet_would_take_for_a_value_is_marked(text):
    assert (is_converted(text), escape(text), escape(f"'{text}")) == (True, f"'{text}", f"''{text}")


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_is_unchanged(text):
    assert escape(text) == text


def test_texts_are_quoted_and_numbers_and_dates_are_not():
    row: list[Cell] = ['say "hi"', "a,b;c", 7, Decimal("1.50"), dt.date(2026, 11, 23), "", None]
    en, eu = (to_csv(["Title", "n"], [row], dialect) for dialect in (EXCEL_EN, EXCEL_EU))

    assert en == b'\xef\xbb\xbf"Title","n"\r\n"say ""hi""","a,b;c",7,1.50,2026-11-23,"",""\r\n'
    assert eu == b'\xef\xbb\xbf"Title";"n"\r\n"say ""hi""";"a,b;c";7;1,50;2026-11-23;"";""\r\n'


def test_no_line_says_which_separator_it_is():
    assert not [dialect for dialect in DIALECTS if b"sep=" in to_csv(["a"], [["b"]], dialect)]


def test_separator_and_decimal_mark_are_never_one():
    assert len(DIALECTS) == 7
    assert all(a.separator != a.decimal for a in itertools.chain(DIALECTS, [EXCEL_EN, EXCEL_EU]))
