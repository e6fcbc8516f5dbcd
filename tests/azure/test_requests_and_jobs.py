"""What a request and a job make of a fault of Azure SQL, through Microsoft's own driver."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http import HTTPMethod, HTTPStatus

import azure.functions as func
import pytest
import sqlalchemy as sa

from shared import jobs
from shared.app import App, use
from shared.auth.signing_keys import SigningKeys
from shared.auth.tokens import TokenValidator
from shared.db.retry import for_jobs, for_requests
from shared.health.routes import Health
from shared.http import endpoint
from shared.http.endpoint import handle, respond
from shared.http.operation import OPERATIONS
from shared.settings import Settings
from tests.support.sql_server import COMMIT, ConnectionLost, Error, default_script


HEALTH = OPERATIONS["get_health"]
WRITES = replace(HEALTH, method=HTTPMethod.PUT)
pytestmark = pytest.mark.usefixtures("azure_app")
WORK = sa.text("UPDATE somewhere SET hours = hours + 1")


@pytest.fixture
def azure_app(azure, azure_engine, clock) -> Iterator[App]:
    settings = Settings.from_env(
        {
            "DATABASE_URL": "mssql+pyodbc://server.database.windows.net/timetracker",
            "ENTRA_API_CLIENT_ID": "6e74172b-be56-4843-9ff4-e66a39bb12e3",
            "ENTRA_CLIENT_IDS": "c44b4083-3bb0-49c1-b47d-974e53cbdf3c",
        }
    )
    validator = TokenValidator(SigningKeys(settings.entra_keys_url), settings, now=clock)
    app = App(settings=settings, engine=azure_engine, validator=validator)
    with use(app):
        azure_engine.connect().close()
        azure.statements.clear()
        yield app
    app.close()


def fail_statements(times, fault, at):
    left = [fault] * times

    def script(statement):
        if at in statement.sql and left:
            fault = left.pop()
            if fault is ConnectionLost:
                raise ConnectionLost
            return fault
        return default_script(statement)

    return script


def answer(operation=WRITES):
    def work(call):
        with call.transaction() as tx:
            tx.execute(WORK)
            return call.answer(tx, HTTPStatus.OK, Health(status="ok", version="1", restore_watch="off"))

    request = func.HttpRequest("PUT", "http://here/api/health", body=b"")
    return respond(operation, partial(handle, handler=work), request, "one")


def times(server, text):
    return sum(text in each for each in server.texts)


@pytest.mark.parametrize("fault", [Error(40613), Error(1205), Error(10928), ConnectionLost], ids=str)
def test_a_request_survives_a_transient_error(azure, fault):
    azure.script = fail_statements(2, fault, "UPDATE somewhere")

    assert answer().status_code == 200
    assert (times(azure, "UPDATE somewhere"), times(azure, COMMIT)) == (3, 1)


@pytest.mark.parametrize("fault", [Error(40613), Error(1205), Error(10928), Error(1222), ConnectionLost], ids=str)
def test_a_lasting_error_is_answered_503_with_retry_after(azure, fault):
    azure.script = fail_statements(99, fault, "UPDATE somewhere")
    response = answer()

    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert json.loads(response.get_body())["code"] == "temporarily_unavailable"
    assert times(azure, "UPDATE somewhere") == 4


@pytest.mark.parametrize("seconds", [3.2, 4.8])
def test_a_request_survives_a_deadlock_that_is_found_late(azure, monkeypatch, seconds):
    clock = [0.0]
    retry = replace(for_requests(), monotonic=lambda: clock[0])
    monkeypatch.setattr(endpoint, "for_requests", lambda: retry)
    once = fail_statements(1, Error(1205), "UPDATE somewhere")

    def script(statement):
        answer = once(statement)
        clock[0] += seconds if answer == Error(1205) else 0
        return answer

    azure.script = script

    assert answer().status_code == 200
    assert (times(azure, "UPDATE somewhere"), times(azure, COMMIT)) == (2, 1)


def test_a_database_that_nobody_gets_into_is_answered_503(azure, azure_app):
    azure_app.engine.dispose()
    azure.sign_in = lambda _: 40613

    assert answer().status_code == 503
    assert 2 <= len(azure.logins) - 1 <= 4


def test_work_with_a_lost_commit_response_is_not_repeated(azure):
    azure.script = fail_statements(1, ConnectionLost, COMMIT)

    assert answer().status_code == 503
    assert times(azure, "UPDATE somewhere") == 1


def test_a_read_with_a_lost_commit_response_is_repeated(azure):
    azure.script = fail_statements(1, ConnectionLost, COMMIT)

    assert answer(HEALTH).status_code == 200
    assert times(azure, "UPDATE somewhere") == 2


def test_a_programming_error_is_not_treated_as_a_database_error(azure):
    azure.script = fail_statements(9, Error(208), "UPDATE somewhere")

    assert answer().status_code == 500
    assert times(azure, "UPDATE somewhere") == 1


@pytest.mark.parametrize("fault", [Error(40613), Error(1205), ConnectionLost], ids=str)
def test_a_job_continues_with_the_tenant_at_which_the_database_failed(azure, azure_app, monkeypatch, fault):
    monkeypatch.setattr(jobs, "for_jobs", lambda: replace(for_jobs(), sleep=lambda _: None))
    azure.script = fail_statements(3, fault, "UPDATE somewhere")

    def work(tx, tenant_id):  # noqa: ARG001 - the same for each
        tx.execute(WORK)
        return 1

    outcome = jobs.for_each_tenant(azure_app, "test", [1, 2, 3], work)

    assert (outcome.tenants, outcome.changed, outcome.failed) == (3, 3, 0)
    assert (times(azure, "UPDATE somewhere"), times(azure, COMMIT)) == (6, 3)
