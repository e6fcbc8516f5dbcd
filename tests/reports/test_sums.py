"""Rows, days and totals of reports agree, on generated data."""

import collections
import csv
import datetime as dt
import io
import tracemalloc
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports import service, sum_store
from reports.exports.csv import CsvFormat, build_report_csv
from reports.exports.heading import Heading
from reports.exports.hour_rules import decimal_hours, rounded
from reports.exports.summary import build_report_workbook
from reports.rules import Group, Span
from reports.store import ReportQuery, UnknownTypes
from reports.tally import Tally
from shared.clock import new_id
from shared.db.schema import metadata
from shared.tenancy.people import Person
from shared.tenancy.store import read_tenant
from shared.work import SERVICE, Work
from tests.support.time_rows import CREATED_AT, DayPart, TimeTenant, WorkSpan, type_of
from timers.work_items.reader_store import read_since


FIRST = dt.datetime(2026, 9, 20, tzinfo=dt.UTC)  # zones change their clocks in the weeks after
PEOPLE, ITEMS = 3, 5
# Of each project: the organization and the name that a report shows. The third, Old name, counts as the second; the
# fourth has the first one's name, and all have work items of the same numbers.
SHOWN = (("Contoso", "Project 0"), ("Contoso", "Project 1"), ("Contoso", "Project 1"), ("Labs", "Project 0"))
PROJECTS = len(SHOWN)
stretches = st.builds(
    WorkSpan,
    person=st.integers(0, PEOPLE - 1),
    project=st.integers(0, PROJECTS - 1),
    item=st.integers(0, ITEMS - 1),
    started_at=st.integers(0, 75 * 24 * 3600).map(lambda seconds: FIRST + dt.timedelta(seconds=seconds)),
    ms=st.integers(0, 60 * 3600 * 1000) | st.just(0),
)
zones = st.sampled_from(["Europe/Berlin", "America/Santiago", "Pacific/Auckland", "Asia/Tokyo", "Africa/Cairo"])
spans = st.one_of(
    st.sampled_from(["2026-09", "2026-10", "2026-11"]).map(Span.month),
    st.tuples(st.integers(0, 70), st.integers(0, 60)).map(
        lambda cut: Span.days(
            FIRST.date() + dt.timedelta(days=cut[0]), FIRST.date() + dt.timedelta(days=cut[0] + cut[1])
        )
    ),
)


@contextmanager
def tenant_with_work(engine, zone, work):
    """A tenant with this work, rolled back afterwards."""
    with engine.connect() as tx, tx.begin() as transaction:
        tenant = TimeTenant(tx, people=PEOPLE, projects_=2, items=ITEMS, zone=zone)
        tenant.add_project("Old name", as_one=1)
        tenant.add_project("Project 0", organization="Labs", organization_id=tenant.add_organization("Labs"))
        yield tenant, tenant.add_time(work)
        transaction.rollback()


def query_of(tenant, span, person=None, *, organization=None, project=None, item_type=None):
    return ReportQuery(
        tenant.people[0],
        span,
        read_since(CREATED_AT),
        None if person is None else Person(tenant.people[person], new_id(), f"Person {person}", None),
        organization,
        project,
        item_type,
    )


def work_of(tenant):
    return Work(tenant.tx, read_tenant(tenant.tx, tenant.tenant_id), SERVICE, CREATED_AT, new_id)


def name_of(row):
    """The groups' values of a row, for comparing with the expected ones."""
    item = row.work_item and (row.work_item.organization, row.work_item.id)
    return (row.organization, row.project, row.user and row.user.display_name, item, row.date)


def expected(parts, span, groups):
    found: dict[tuple[object, ...], list[int]] = collections.defaultdict(lambda: [0, 0])
    for part in parts:
        organization, project = SHOWN[part.project]
        key = (
            *((organization, project) if Group.PROJECT in groups else (None, None)),
            f"Person {part.person}" if Group.USER in groups else None,
            (organization, part.item + 1) if Group.WORK_ITEM in groups else None,
            part.date if Group.DAY in groups else None,
        )
        found[key][0] += part.ms
        found[key][1] += part.starts or part.date == span.first
    return {key: tuple(sums) for key, sums in found.items()}


class Choice(NamedTuple):
    """The filters of a report, None for all; no organization Nobody, Project 2 or type Epic exists."""

    groups: tuple[Group, ...]
    span: Span
    person: int | None
    organization: str | None
    project: str | None
    type: str | None

    def takes(self, part: DayPart, *, unknown: bool = False) -> bool:
        """Whether a part is selected; with `unknown` whether only its type is unknown."""
        return (
            self.span.first <= part.date <= self.span.last
            and self.person in {None, part.person}
            and (self.organization is None or self.organization.lower() == SHOWN[part.project][0].lower())
            and (self.project is None or SHOWN[part.project][1] in NAMED[self.project])
            and (known_type(part) == "" if unknown else self.type is None or self.type.lower() == known_type(part))
        )


# The projects of a name: a project and its alias find the same.
NAMED = {"pROJECT 0": {"Project 0"}, "Project 1": {"Project 1"}, "old  NAME": {"Project 1"}, "Project 2": set[str]()}


def known_type(part):
    """Only items of one organization have been read."""
    return (type_of(part.item) or "").lower() if SHOWN[part.project][0] == "Contoso" else ""


choices = st.builds(
    Choice,
    groups=st.lists(st.sampled_from(list(Group)), min_size=1, unique=True).map(tuple),
    span=spans,
    person=st.none() | st.integers(0, PEOPLE - 1),
    organization=st.none() | st.sampled_from(["contoso", "LABS", "Nobody"]),
    project=st.none() | st.sampled_from(list(NAMED)),
    type=st.none() | st.sampled_from(["Bug", "bUG", "Epic"]),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(work=st.lists(stretches, max_size=25), zone=zones, choice=choices)
def test_rows_days_and_total_agree_with_any_grouping_filter_and_span(engine, work, zone, choice):
    groups = choice.groups
    with tenant_with_work(engine, zone, work) as (tenant, parts):
        query = query_of(
            tenant,
            choice.span,
            choice.person,
            organization=choice.organization,
            project=choice.project,
            item_type=choice.type,
        )
        sums = sum_store.read(tenant.tx, tenant.tenant_id, query, groups)
        rows = list(sums.rows)
        tally = Tally(choice.span, groups)
        listed = list(tally.add_each(service.read_pieces(work_of(tenant), query)[1]))
        text = build_report_csv(groups, service.read_rows(work_of(tenant), query, groups), CsvFormat())
    wanted = [part for part in parts if choice.takes(part)]
    by_day = collections.Counter[dt.date]()
    for part in wanted:
        by_day[part.date] += part.ms
    lines = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))

    assert {name_of(row): (row.elapsed_ms, row.entries) for row in rows} == expected(wanted, choice.span, groups)
    assert sums.days == sorted(by_day.items())
    assert sum(row.elapsed_ms for row in rows) == sum(ms for _, ms in sums.days) == sum(part.ms for part in wanted)
    assert (tally.rows(), tally.days) == (rows, sums.days)
    assert (
        sum(piece.elapsed_ms for piece in listed) == tally.total_ms == sum(int(line["Milliseconds"]) for line in lines)
    )
    assert sum(Decimal(line["Hours"]) for line in lines) == decimal_hours(rounded(tally.total_ms))
    began = [part for part in wanted if part.starts or part.date == choice.span.first]
    assert sum(int(line["Entries"]) for line in lines) == len(began)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(work=st.lists(stretches, max_size=25), zone=zones, choice=choices, item_type=st.sampled_from(["Bug", "Epic"]))
def test_a_filter_by_type_has_the_time_of_unknown_types_separately(engine, work, zone, choice, item_type):
    groups, choice = choice.groups, choice._replace(type=item_type)
    with tenant_with_work(engine, zone, work) as (tenant, parts):
        only = {"organization": choice.organization, "project": choice.project, "item_type": item_type}
        query = query_of(tenant, choice.span, choice.person, **only)
        summed, listed = (replace(query, unknown=each) for each in (UnknownTypes.SUMMED, UnknownTypes.LISTED))
        sums, rows = (
            sum_store.read(tenant.tx, tenant.tenant_id, summed, groups),
            list(service.read_rows(work_of(tenant), listed, groups)),
        )
        of_type = list(sums.rows)
        text = build_report_csv(groups, iter(rows), CsvFormat(listed_type=item_type))
        tally = Tally(choice.span, groups, only_known=True)
        pieces = list(tally.add_each(service.read_pieces(work_of(tenant), summed)[1]))
    wanted, unknown = ([part for part in parts if choice.takes(part, unknown=is_it)] for is_it in (False, True))
    lines = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))

    assert sums.unknown_ms == tally.unknown_ms == sum(part.ms for part in unknown)
    assert sum(ms for _, ms in sums.days) == tally.total_ms == sum(piece.elapsed_ms for piece in pieces)
    for found, parts_of in ((of_type, wanted), ([row for row in rows if not row.type_known], unknown)):
        got = {name_of(row): (row.elapsed_ms, row.entries) for row in found}
        assert got == expected(parts_of, choice.span, groups)
    assert [row for row in rows if row.type_known] == of_type == tally.rows()
    assert [(line["Type known"], line["Type"] == "") for line in lines] == [
        ("yes", False) if row.type_known else ("no", True) for row in rows
    ]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(work=st.lists(stretches, max_size=25), zone=zones, first=st.integers(0, 70))
def test_the_rows_of_a_timesheet_add_up_to_the_week(engine, work, zone, first):
    span = Span.seven_days(FIRST.date() + dt.timedelta(days=first))
    with tenant_with_work(engine, zone, work) as (tenant, parts):
        found = sum_store.read(tenant.tx, tenant.tenant_id, query_of(tenant, span), (Group.USER, Group.DAY)).rows
        people = service.to_person_weeks(span, found)
    of_week = collections.Counter[tuple[str, dt.date]]()
    for part in parts:
        of_week[f"Person {part.person}", part.date] += part.ms

    assert [len(person.days) for person in people] == [7] * len(people)
    assert {
        (person.user.display_name, date): ms
        for person in people
        for date, ms in zip(span, person.days, strict=True)
        if ms
    } == {key: ms for key, ms in of_week.items() if ms and span.first <= key[1] <= span.last}


@given(spans)
def test_a_span_has_all_days_between_its_ends(span):
    days = list(span)

    assert (days[0], days[-1]) == (span.first, span.last)
    assert len(days) == len(set(days)) == (span.last - span.first).days + 1


@pytest.mark.parametrize(
    ("first", "last", "is_in_one"),
    [
        ("2026-11-01", "2026-11-30", True),
        ("2028-02-29", "2028-02-29", True),
        ("2026-11-02", "2026-11-08", True),
        ("2026-10-31", "2026-11-01", False),
        ("2025-12-01", "2026-12-31", False),
    ],
)
def test_a_span_within_one_month_is_detected(first, last, is_in_one):
    assert Span.days(dt.date.fromisoformat(first), dt.date.fromisoformat(last)).is_in_one_month is is_in_one


@pytest.mark.parametrize("groups", [(Group.PROJECT,), (Group.DAY,), (Group.DAY, Group.PROJECT)])
def test_sums_by_day_and_project_come_in_the_order_of_the_index_without_sorting(tmp_path, groups):
    engine = sa.create_engine(f"sqlite:///{tmp_path}/plan.db")
    metadata.create_all(engine)
    statement = sum_store.statement(groups, frozenset(), one_month=True)
    text = str(statement.compile(engine))
    with engine.connect() as tx:
        plan = tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", (None,) * text.count("?")).all()
    engine.dispose()
    steps = [row[-1] for row in plan]
    reading = next(number for number, step in enumerate(steps) if "time_entry_days" in step)

    assert "COVERING INDEX ix_time_entry_days_report (tenant_id=? AND month_key=? AND work_date>?" in steps[reading]
    assert sum("time_entry_days" in step for step in steps) == 1
    assert "TEMP B-TREE" not in steps[reading + 1]


MANY = 5_000
ENOUGH_MB = 2  # all rows as objects take 4, and 2.7 of those in the workbook


@pytest.fixture(scope="module")
def large(engine):
    """A tenant with 5,000 entries in one month, all different: more than five days, begun every 90 seconds."""
    begin = dt.datetime(2026, 11, 2, tzinfo=dt.UTC)
    work = (
        WorkSpan(
            number % PEOPLE,
            number % PROJECTS,
            number % ITEMS + ITEMS * number,
            begin + dt.timedelta(seconds=number * 90),
            60_000,
        )
        for number in range(MANY)
    )
    with tenant_with_work(engine, "UTC", work) as (tenant, _):
        yield tenant


def peak_beyond_body(make):
    """The peak memory of building a body, in megabytes without the body itself."""
    tracemalloc.start()
    try:
        body = make()
        return body, (tracemalloc.get_traced_memory()[1] - len(body)) / 1e6
    finally:
        tracemalloc.stop()


def test_a_long_csv_is_streamed(large):
    query = query_of(large, Span.month("2026-11"))
    groups = tuple(Group)
    body, peak = peak_beyond_body(
        lambda: build_report_csv(groups, service.read_rows(work_of(large), query, groups), CsvFormat())
    )

    assert body.count(b"\r\n") == MANY + 1
    assert peak < ENOUGH_MB


def test_a_long_workbook_is_streamed(large):
    days = Span.days(dt.date(2026, 11, 2), dt.date(2026, 11, 4))  # 2,880 entries, since this takes a while
    query = query_of(large, days)
    heading = Heading("Time report", "Contoso", days, "UTC", CREATED_AT, "everybody")
    build_report_workbook(heading, (Group.PROJECT,), iter(()))  # imports the library
    body, peak = peak_beyond_body(
        lambda: build_report_workbook(heading, (Group.PROJECT,), service.read_pieces(work_of(large), query)[1])
    )

    assert body.startswith(b"PK")
    assert peak < ENOUGH_MB
