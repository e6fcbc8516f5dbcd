"""Everyday calls with the generated types. Arguments: the address of the host and a token."""

import datetime as dt
import sys
from collections import defaultdict
from http import HTTPStatus
from typing import TypeVar, assert_never
from uuid import UUID

import httpx
from timetracker_client import AuthenticatedClient, models
from timetracker_client.api.entries import (
    add_entry,
    correct_entry,
    delete_entry_with_reason,
    get_entry,
    list_entries,
    set_work_item_day,
)
from timetracker_client.api.people import add_users, list_users
from timetracker_client.api.privacy import export_data, get_privacy
from timetracker_client.api.reports import get_month_report, get_week_report
from timetracker_client.api.settings import list_audit
from timetracker_client.api.sign_in import get_me, get_session, sign_in
from timetracker_client.api.timers import (
    change_running_timer,
    discard_running_timer,
    get_running_timer,
    list_timer_log,
    start_timer,
    stop_timer,
)
from timetracker_client.api.work_items import (
    get_work_item_time,
    list_recent_work_items,
    search_work_items,
    set_favorite,
)
from timetracker_client.types import UNSET, Unset


T = TypeVar("T")
StartProblem = (
    models.TimerAlreadyRunningProblem
    | models.TimerAlreadyEndedProblem
    | models.InsideAnotherEntryProblem
    | models.TimerIdTakenProblem
)


def join_lists(request: httpx.Request) -> None:
    """Sends a list as one value with commas; the generated client repeats the parameter for each value."""
    values: dict[str, list[str]] = defaultdict(list)
    for name, value in request.url.params.multi_items():
        values[name].append(value)
    request.url = request.url.copy_with(params={name: ",".join(each) for name, each in values.items()})


def got(model: type[T], answer: object) -> T:
    assert isinstance(answer, model), answer
    return answer


def conflicting_start(problem: StartProblem) -> dt.datetime | Unset:
    """Every conflict has a case; mypy reports a missing one."""
    match problem:
        case models.TimerAlreadyRunningProblem():
            return problem.running_timer.started_at if problem.running_timer else UNSET
        case models.TimerAlreadyEndedProblem():
            return problem.entry.stopped_at if problem.entry else UNSET
        case models.InsideAnotherEntryProblem():
            return problem.entry.started_at if problem.entry else UNSET
        case models.TimerIdTakenProblem():
            return UNSET
        case _:
            assert_never(problem)


def start(work_item: int, *, switch: bool = False) -> models.StartTimer:
    return models.StartTimer(organization="contoso", project="Website", work_item_id=work_item, switch=switch)


def track_time(client: AuthenticatedClient) -> None:
    started = got(models.StartedTimer, start_timer.sync(client=client, body=start(42)))
    refused = start_timer.sync(client=client, body=start(43))
    assert isinstance(refused, models.TimerAlreadyRunningProblem)
    assert refused.code == "timer_already_running"
    assert conflicting_start(refused) == started.started_at
    assert got(models.RunningTimer, get_running_timer.sync(client=client)).work_item_id == 42
    note = models.ChangeTimer(note="the review", timer_id=UUID(started.id))
    assert got(models.RunningTimer, change_running_timer.sync(client=client, body=note)).note == "the review"
    session = got(models.Session, get_session.sync(client=client))
    assert session.running_timer
    assert session.running_timer.id == started.id
    other = discard_running_timer.sync(client=client, timer_id=UUID("3f2b8c1e-5d47-4a90-b6f1-0c9e7d2a4b58"))
    assert got(models.OtherTimerRunningProblem, other).running_timer.id == started.id
    switched = got(models.StartedTimer, start_timer.sync(client=client, body=start(43, switch=True)))
    assert switched.stopped
    assert switched.stopped.id == started.id
    stopped = stop_timer.sync(client=client, body=models.StopTimer(), idempotency_key="stop-1")
    assert got(models.TimeEntry, stopped).elapsed_ms >= 0


def correct_time(client: AuthenticatedClient) -> None:
    start_at, end_at = (dt.datetime(2026, 11, 20, hour, tzinfo=dt.UTC) for hour in (9, 10))
    body = models.AddEntry(
        organization="contoso",
        project="Website",
        work_item_id=42,
        started_at=start_at,
        stopped_at=end_at,
        note="the review",
    )
    added = add_entry.sync_detailed(client=client, body=body)
    entry, tag = got(models.TimeEntry, added.parsed), added.headers["ETag"]
    assert (entry.elapsed_ms, entry.started_at) == (3_600_000, start_at)
    assert got(models.TimeEntry, get_entry.sync(entry.id, client=client)).note == "the review"
    change = models.CorrectEntry(note=None, reason="it was for another day")
    corrected = correct_entry.sync(entry.id, client=client, body=change, if_match=tag)
    assert got(models.TimeEntry, corrected).note is UNSET
    late = correct_entry.sync(entry.id, client=client, body=change, if_match=tag)
    assert got(models.PreconditionFailedProblem, late).status == HTTPStatus.PRECONDITION_FAILED
    day = dt.date(2026, 11, 19)
    hour = models.AddEntry(organization="contoso", project="Website", work_item_id=42, date=day, elapsed_ms=3_600_000)
    assert got(models.TimeEntry, add_entry.sync(client=client, body=hour)).days[0].date == day
    wanted = models.SetWorkItemDay(project="Website", elapsed_ms=5_400_000, expected_ms=3_600_000)
    cell = set_work_item_day.sync(day.isoformat(), "contoso", "42", client=client, body=wanted)
    assert got(models.WorkItemDay, cell).elapsed_ms == 5_400_000
    other = models.SetWorkItemDay(project="Website", elapsed_ms=0, expected_ms=0, reason="another day")
    stale = set_work_item_day.sync(day.isoformat(), "contoso", "42", client=client, body=other)
    assert got(models.DayChangedProblem, stale).elapsed_ms == 5_400_000
    page = got(models.EntriesPage, list_entries.sync(client=client, page_size=1, work_item_id=[42, 43]))
    assert len(page.items) == 1
    assert page.next_link
    reason = models.DeleteEntry(reason="by mistake")
    deleted = delete_entry_with_reason.sync_detailed(entry.id, client=client, body=reason, if_match="*")
    assert deleted.status_code < HTTPStatus.BAD_REQUEST
    lost = get_entry.sync("nobody's", client=client)
    assert got(models.NotFoundProblem, lost).code == "not_found"


def pick_work_items(client: AuthenticatedClient) -> None:
    recent = got(models.RecentWorkItems, list_recent_work_items.sync(client=client))
    assert {item.id for item in recent.items} == {42, 43}
    favorite = models.SetFavorite(position=1)
    favorites = set_favorite.sync("contoso", "42", client=client, body=favorite)
    assert [item.project for item in got(models.Favorites, favorites).items] == ["Website"]
    found = got(models.FoundWorkItems, search_work_items.sync(client=client, search="#42"))
    assert (found.azure_dev_ops, found.items[0].id) == (models.SearchState.NOTASKED, 42)


def report_time(client: AuthenticatedClient) -> None:
    groups = [models.GetMonthReportGroupByItem.PROJECT, models.GetMonthReportGroupByItem.WORKITEM]
    report = got(models.Report, get_month_report.sync(client=client, month="2026-11", group_by=groups))
    assert sum(row.elapsed_ms for row in report.rows) == report.total_ms
    assert all(row.work_item and row.work_item.id in (42, 43) for row in report.rows)
    assert len(got(models.WeekReport, get_week_report.sync(client=client, week="2026-W48")).days) == 7
    address, query = "/api/reports/month", {"month": "2026-11", "format": "xlsx"}
    workbook = client.get_httpx_client().get(address, params=query)
    assert workbook.content.startswith(b"PK")


def read_logs(client: AuthenticatedClient) -> None:
    me = got(models.Me, get_me.sync(client=client))
    spent = got(models.WorkItemTime, get_work_item_time.sync("contoso", "42", client=client))
    assert spent.own.elapsed_ms >= 5_400_000
    since = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    changes = list_entries.sync(client=client, changed_since=since, source=models.Source.MANUAL)
    assert got(models.EntriesPage, changes).next_changed_since
    log = list_timer_log.sync(client=client, event=models.EventKind.CORRECTED, user="me", from_=since.date())
    actor = got(models.TimerLogPage, log).items[0].actor
    assert actor
    assert actor.display_name == me.display_name
    version = models.ApiVersion.VALUE_0
    audit = list_audit.sync_detailed(client=client, action=models.Action.TENANT_CREATED, api_version=version)
    assert got(models.AuditPage, audit.parsed).items[0].actor_id == me.id
    assert audit.headers["api-version"] == version


def manage_people(client: AuthenticatedClient) -> None:
    me = got(models.Me, get_me.sync(client=client))
    people = got(models.UsersPage, list_users.sync(client=client, role=models.Role.SUPER_ADMIN))
    assert me.id in [person.id for person in people.items]
    body = models.AddUsers(users=[models.NewUser(email="eve@contoso.example")])
    assert got(models.AddedUsers, add_users.sync(client=client, body=body)).added == 1
    assert got(models.Privacy, get_privacy.sync(client=client))
    assert got(models.DataExport, export_data.sync(client=client)).sections.additional_properties


def main(address: str, token: str) -> None:
    with AuthenticatedClient(address, token, httpx_args={"event_hooks": {"request": [join_lists]}}) as client:
        assert got(models.SignIn, sign_in.sync(client=client)).user.role is models.Role.SUPER_ADMIN
        track_time(client)
        correct_time(client)
        pick_work_items(client)
        report_time(client)
        read_logs(client)
        manage_people(client)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
