"""Any text entered by people is unchanged in a CSV, and no formula in a spreadsheet."""

import csv
import io
import zipfile

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from shared.text import has_bidi_controls, is_blank, name_key
from tests.support import rfc4180
from tests.support.budget import ALL
from tests.support.spreadsheets import remove_apostrophes


pytestmark = pytest.mark.http_only
MANY = settings(max_examples=400 if ALL else 25, suppress_health_check=[HealthCheck.function_scoped_fixture])
DAY = {"from": "2026-11-20", "to": "2026-11-20"}
# The first characters of a formula in Excel, LibreOffice and Google Sheets, in half and full width.
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width letters on purpose
lines = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]) | st.sampled_from("=+-@,;\"'|%!＝＋－＠"),  # noqa: RUF001
    min_size=1,
    max_size=32,
).filter(lambda text: text.strip() == text and len(text.encode("utf-16-le")) <= 64)


def parse(raw: bytes) -> list[list[str]]:
    """Parses a CSV with two readers, which must agree."""
    text = raw.decode("utf-8-sig")
    table = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert rfc4180.read(text) == table
    return table


def column(table: list[list[str]], title: str) -> list[str]:
    return [row[table[0].index(title)] for row in table[1:]]


@pytest.fixture
def ada(world, clock):
    clock.set("2026-11-23T12:00:00Z")
    return world.tenant()


@MANY
@given(project=lines)
@example("=cmd|' /C calc'!A0")
@example('"')
@example("'=1")
@example("a,b;c")
def test_the_name_of_a_project_comes_back_and_runs_nothing(ada, project):
    assume(name_key(project, 256) and not has_bidi_controls(project))  # else it is refused
    entered = ada.enter(project=project)
    assert entered.status == 201, entered.raw

    got = ada.get("reports/summary", format="csv", groupBy="project", **DAY)
    cells = column(parse(got.raw), "Project")

    assert name_key(project, 256) in [
        name_key(remove_apostrophes(cell), 256) for cell in cells
    ]  # the first of its spellings
    assert not [cell for cell in cells if cell.startswith(FORMULAS)]


@MANY
@given(name=lines)
@example("@SUM(1+9)*cmd|' /C calc'!A0")
@example("-2+3")
def test_the_name_of_a_person_comes_back_and_runs_nothing(ada, name):
    ada.enter()
    assert ada.patch("me", {"displayName": name}).status == 200

    summary = parse(ada.get("reports/summary", format="csv", groupBy="user", **DAY).raw)
    week = parse(ada.get("reports/week", format="csv", **{"from": "2026-11-20"}).raw)

    for table in (summary, week):
        assert [remove_apostrophes(cell) for cell in column(table, "Person")] == [name]
        assert not [cell for row in table for cell in row if cell.startswith(FORMULAS)]


@MANY
@given(note=lines)
def test_a_note_comes_back_in_the_export_and_runs_nothing(ada, note):
    assume(not is_blank(note))  # else it is refused
    entered = ada.enter(note=note)
    assert entered.status == 201, entered.raw

    tables = _tables(ada.get("privacy/export", format="zip").raw)

    assert note in [remove_apostrophes(cell) for table in tables for row in table for cell in row]
    assert not [cell for table in tables for row in table for cell in row if cell.startswith(FORMULAS)]


def _tables(raw: bytes) -> list[list[list[str]]]:
    with zipfile.ZipFile(io.BytesIO(raw)) as files:
        return [parse(files.read(name)) for name in files.namelist() if name.endswith(".csv")]
