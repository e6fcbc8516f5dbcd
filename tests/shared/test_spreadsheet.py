import csv
import io

from hypothesis import example, given
from hypothesis import strategies as st

from shared.spreadsheet import to_csv


TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "\n")
FULL_WIDTH = tuple(
    "\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
cells = st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.integers() | st.sampled_from("=+-@\t\r\n"))


def read(raw: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def unmarked(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith((*TRIGGERS, *FULL_WIDTH, "\0")) else cell


@given(cells)
@example(["'=1", "=1", "''=1", "'", "it's"])
def test_a_mark_taken_off_leaves_the_text_as_it_was(row):
    got = read(to_csv(["header"], [[*row, "end"]]))[1]

    assert [unmarked(cell) for cell in got] == [str(given) for given in [*row, "end"]]


@given(cells)
def test_no_text_begins_a_formula_and_nothing_else_is_changed(row):
    got = (read(to_csv(["header"], [[*row, "end"]]))[1:] or [[]])[0]
    pairs = list(zip(got, [*row, "end"], strict=True))

    assert all(cell in {str(given), f"'{given}"} for cell, given in pairs)
    assert not [cell for cell, given in pairs if isinstance(given, str) and cell.startswith(TRIGGERS)]
    plain = [pair for pair in pairs if not str(pair[1]).lstrip("'").startswith((*TRIGGERS, *FULL_WIDTH, "\0"))]
    assert all(cell == str(given) for cell, given in plain)


def test_lines_end_as_rfc_4180_says_and_quotes_are_doubled():
    assert to_csv(["a", "b"], [['say "hi"', "x,y"]]) == b'\xef\xbb\xbfa,b\r\n"say ""hi""","x,y"\r\n'
