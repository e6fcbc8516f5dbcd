"""Concurrent stops of a team on one work item, while an admin deactivates an account and corrects a past entry."""

import datetime as dt
import itertools
from collections.abc import Iterator
from decimal import Decimal
from functools import partial

import pytest
import sqlalchemy as sa

from shared import clock
from tests.faults import product
from tests.faults.acknowledged_time import violations
from tests.faults.product import via
from tests.support.world import new_id
from tests.timers.write_back.write_backs import BUG, HEADER, change, retry


TEAM, ROUNDS = 6, 2


@pytest.fixture
def team_hosts(app_database_url, entra, azure_devops, internal_tids, tmp_path) -> Iterator[tuple[str, str]]:
    """Two processes on one database and one Azure DevOps."""
    more = {"AZURE_DEVOPS_URL": azure_devops.url, "INTERNAL_TENANT_IDS": ",".join(internal_tids)}
    settings = product.environment(app_database_url, entra, **more)
    with product.host(tmp_path / "first", settings) as first, product.host(tmp_path / "second", settings) as second:
        yield first, second


def stop(person, base, token):
    person = via(person, base)
    return person.http.send("POST", "timers/stop", token=person.token, key=new_id(), headers={HEADER: token})


def deadlocks(engine):
    """The number of deadlocks of the database so far; 0 on SQLite."""
    if engine.dialect.name == "sqlite":
        return 0
    with engine.connect() as tx:
        return tx.execute(
            sa.text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        ).scalar_one()


def test_a_team_that_stops_on_one_item_while_one_of_them_is_deactivated(  # noqa: PLR0917
    team_hosts, internal_tids, entra, crowd, engine, azure_devops
):
    ada = product.admin(entra, team_hosts[0], internal_tids[14])
    change(ada, writeBack=True)
    token, before, deadlocks_before = azure_devops.token(), azure_devops.completed(BUG), deadlocks(engine)
    members = [product.person(entra, team_hosts[0], ada.tid) for _ in range(TEAM)]
    ids = [via(each, team_hosts[0]).post("sign-in").body["user"]["id"] for each in members]
    ended = []
    for number in range(ROUNDS):
        begun = (clock.now() - dt.timedelta(minutes=20)).isoformat()
        for each in members:
            report = {} if number else {"startedAt": begun, "timerId": new_id()}  # later rounds begin now
            started = via(each, team_hosts[0]).start(BUG, key=new_id(), **report)
            assert started.status == 201, started.raw
        past = via(ada, team_hosts[0]).enter("2026-11-02T09:00:00Z", "2026-11-02T10:00:00Z")
        calls = [partial(stop, each, team_hosts[n % 2], token) for n, each in enumerate(members)]
        calls += [
            partial(via(ada, team_hosts[1]).post, f"users/{ids[0]}/deactivate"),
            partial(via(ada, team_hosts[0]).correct, past, stoppedAt="2026-11-02T11:00:00Z"),
        ]
        answers = crowd.at_once(calls)
        ended += [each.body["id"] for each in answers[:TEAM] if each.status == 200]

        assert {each.status for each in answers[1:TEAM]} == {200}
        assert answers[0].status in {200, 403}
        assert answers[TEAM].status == 200
        assert answers[TEAM + 1].status == 200
        assert via(ada, team_hosts[0]).post(f"users/{ids[0]}/reactivate").status == 200
    entries = via(ada, team_hosts[1]).entries(workItemId=str(BUG))
    responses = [
        retry(via(ada, base), each["id"], token)
        for each, base in zip(entries, itertools.cycle(team_hosts), strict=False)
    ]
    hours = (Decimal(sum(each["elapsedMs"] for each in entries)) / 3_600_000).quantize(Decimal("0.0001"))

    assert {each["id"] for each in entries} >= set(ended)
    assert {each.body["writeBack"] for each in responses} == {"done"}
    assert azure_devops.completed(BUG) == pytest.approx(before + float(hours), abs=1e-9)
    assert deadlocks(engine) == deadlocks_before
    assert violations(engine) == []
