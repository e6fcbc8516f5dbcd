"""Microsoft's ODBC driver against a scripted server: the app's statements, and its handling of each fault."""

import datetime as dt
import re
import threading
import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from azure.core.exceptions import ClientAuthenticationError

from shared.db import azure_sql
from shared.db.engine import is_transient, is_unique_violation, lost_race
from shared.db.retry import RetryPolicy, for_jobs, for_requests
from shared.db.statements import limit_statements
from shared.db.types import Day, Money, UtcDateTime
from shared.errors import Unavailable
from tests.azure.conftest import Identity
from tests.support.sql_server import BEGIN, COMMIT, ConnectionLost, Error, Rows, default_script


ASK = sa.text("SELECT 42 AS answer")


def fail_statements(times, fault, *, at="SELECT 42"):
    """A script in which statements that contain `at` fail so many times."""
    left = [fault] * times

    def script(statement):
        if at in statement.sql:
            if left:
                fault = left.pop()
                if fault is ConnectionLost:
                    raise ConnectionLost
                return fault
            if at == "SELECT 42":
                return Rows(("answer",), [(42,)])
        return default_script(statement)

    return script


def ask(engine):
    with engine.begin() as connection:
        return connection.execute(ASK).scalar()


def count_queries(server):
    return server.texts.count("SELECT 42 AS answer")


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def retry(pauses):
    return replace(for_jobs(), sleep=pauses.append)


def test_the_token_arrives_byte_for_byte_without_a_user(azure, azure_engine):
    azure.script = fail_statements(0, None)

    assert ask(azure_engine) == 42
    assert [(login.user, login.token, login.database, login.app) for login in azure.logins] == [
        ("", Identity.token.encode("utf-16-le"), "timetracker", "timetracker")
    ]


def test_a_user_in_the_url_signs_in_without_a_token(azure):
    url = sa.make_url(azure.url).set(username="sa", password="not};secret")
    engine = azure_sql.build_engine(url, pool_size=1, wait_seconds=5)
    azure.script = fail_statements(0, None)

    assert ask(engine) == 42
    assert [(login.user, login.token) for login in azure.logins] == [("sa", None)]
    engine.dispose()


def test_a_server_without_a_valid_certificate_gets_no_token(azure, azure_engine, monkeypatch, tmp_path):
    (tmp_path / "nobody.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nobody.pem"))

    with pytest.raises(sa.exc.OperationalError, match="certificate verify failed"):
        ask(azure_engine)
    assert azure.logins == []


def test_without_a_token_for_the_identity_the_database_is_unavailable(azure):
    class Nobody:
        def get_token(self, *_):
            raise ClientAuthenticationError("secret detail")

    engine = azure_sql.build_engine(sa.make_url(azure.url), pool_size=1, wait_seconds=5, credential=Nobody())

    with pytest.raises(Unavailable, match="unavailable") as caught:
        ask(engine)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("number", sorted(azure_sql.TRANSIENT | azure_sql.LOST_RACE))
def test_a_statement_with_a_transient_error_is_retried_in_a_new_transaction(azure, azure_engine, retry, number):
    azure.script = fail_statements(2, Error(number))

    assert retry.run(lambda: ask(azure_engine)) == 42
    assert count_queries(azure) == 3
    assert azure.texts[-1] == COMMIT


@pytest.mark.parametrize("number", [40613, 4060, 40501, 49918, 10928, 40197, 18401])
def test_a_sign_in_with_a_transient_error_is_retried(azure, azure_engine, retry, number):
    numbers = [number, number, None]
    azure.sign_in = lambda _: numbers.pop(0)
    azure.script = fail_statements(0, None)

    assert retry.run(lambda: ask(azure_engine)) == 42
    assert len(azure.logins) == 3


@pytest.mark.parametrize("number", [18456, 208, 2628, 515, 547])
def test_a_permanent_error_is_not_retried(azure, azure_engine, retry, number):
    azure.script = fail_statements(9, Error(number))

    with pytest.raises(sa.exc.DBAPIError) as caught:
        retry.run(lambda: ask(azure_engine))
    assert azure_sql.error_numbers(caught.value.orig) == {number}
    assert count_queries(azure) == 1


def test_a_connection_lost_in_a_statement_is_replaced(azure, azure_engine, retry):
    azure.script = fail_statements(1, ConnectionLost)

    assert retry.run(lambda: ask(azure_engine)) == 42
    assert (count_queries(azure), len(azure.logins)) == (2, 2)


@pytest.mark.parametrize("at", ["LOCK_TIMEOUT", "inside_tenant_wall"])
def test_a_connection_lost_in_its_first_statements_is_replaced(azure, azure_engine, retry, at):
    cut = fail_statements(1, ConnectionLost, at=at)
    azure.script = lambda statement: Rows(("",), [(42,)]) if "SELECT 42" in statement.sql else cut(statement)

    assert retry.run(lambda: ask(azure_engine)) == 42
    assert sum(at in text for text in azure.texts) == 2


def test_a_new_process_sends_only_our_queries(azure, azure_engine):
    azure.script = fail_statements(0, None)
    ask(azure_engine)

    # SQLAlchemy would take a fault of its own first questions for an answer
    asked = [text[:24] for text in azure.texts if not text.startswith("<[sys]")]  # without pyodbc's own queries
    assert asked == ["SET LOCK_TIMEOUT 7000", "SELECT CASE WHEN OBJECT_", BEGIN, "SELECT 42 AS answer", COMMIT]


def test_a_new_connection_has_its_time_limit_before_anything_is_asked(azure, azure_engine):
    limits: list[int] = []
    sa.event.listen(azure_engine, "connect", lambda made, _: limits.append(made.timeout), insert=True)
    azure.script = fail_statements(0, None)
    ask(azure_engine)

    assert limits == [azure_sql.STATEMENT_SECONDS]


def test_a_server_that_is_silent_on_a_new_connection_is_given_up(azure, monkeypatch):
    monkeypatch.setattr(azure_sql, "STATEMENT_SECONDS", 1)
    engine = azure_sql.build_engine(sa.make_url(azure.url), pool_size=1, wait_seconds=5, credential=Identity())
    given_up, was_given_up = threading.Event(), []

    def script(statement):
        if "LOCK_TIMEOUT" in statement.sql:
            was_given_up.append(given_up.wait(60))
        return default_script(statement)

    azure.script = script
    with pytest.raises(sa.exc.DBAPIError) as caught:
        ask(engine)
    given_up.set()

    assert is_transient(caught.value)
    assert was_given_up != [False]


def test_a_connection_that_grew_stale_in_the_pool_is_replaced_unseen(azure, azure_engine):
    azure.script = fail_statements(0, None)
    ask(azure_engine)
    azure.close_connections()

    assert ask(azure_engine) == 42
    assert len(azure.logins) == 2


def test_the_first_retry_is_immediate_and_the_others_come_later_each(azure, azure_engine, retry, pauses):
    azure.script = fail_statements(5, Error(40501))

    retry.run(lambda: ask(azure_engine))
    assert len(pauses) == 4
    assert all(high / 2 <= pause <= high for pause, high in zip(pauses, (1, 2, 4, 8), strict=True))


def test_a_deadlocks_victim_is_run_again_without_a_pause(azure, azure_engine, retry, pauses):
    azure.script = fail_statements(3, Error(1205))

    assert retry.run(lambda: ask(azure_engine)) == 42
    assert pauses == []


def test_a_request_does_not_wait_for_an_unavailable_database():
    seconds = [0.0]
    retry = replace(for_requests(), monotonic=lambda: seconds[0], sleep=lambda _: None)

    def slow():
        seconds[0] += 2
        raise sa.exc.TimeoutError

    with pytest.raises(sa.exc.TimeoutError):
        retry.run(slow)
    assert seconds == [4.0]


def test_after_a_success_a_run_has_all_its_retries_again():
    seconds = [0.0]
    retry = RetryPolicy(pauses=(0,), seconds=60, monotonic=lambda: seconds[0], sleep=lambda _: None)
    answers = [None, 1, None, 2, None, None, 3]

    def work():
        seconds[0] += 50
        answer = answers.pop(0)
        if answer is None:
            raise sa.exc.TimeoutError
        return answer

    assert [retry.run(work), retry.run(work)] == [1, 2]
    with pytest.raises(sa.exc.TimeoutError):
        retry.run(work)


def test_tries_come_to_an_end():
    tries = []
    retry = RetryPolicy(pauses=(0, 0.1), seconds=60, sleep=lambda _: None)

    def fail():
        tries.append(1)
        raise sa.exc.TimeoutError

    with pytest.raises(sa.exc.TimeoutError):
        retry.run(fail)
    assert len(tries) == 3


@pytest.mark.parametrize(("number", "duplicate"), [(2601, True), (2627, True), (547, False), (515, False)])
def test_only_a_duplicate_key_is_a_unique_violation(azure, azure_engine, number, duplicate):
    azure.script = fail_statements(1, Error(number))

    with pytest.raises(sa.exc.IntegrityError) as caught:
        ask(azure_engine)
    assert (is_unique_violation(caught.value), lost_race(caught.value)) == (duplicate, duplicate)
    assert not is_transient(caught.value)


def test_every_type_of_column_comes_back_as_it_is(azure, azure_engine):
    at = dt.datetime(2026, 11, 25, 23, 59, 59, 999000, tzinfo=dt.UTC)
    row = (7, "Zoë 𝄞", uuid.UUID(int=42), Decimal("-4.9900"), at, at.date(), True)
    names = ("number", "text", "uuid", "money", "at", "day", "flag")
    types = (
        sa.BigInteger(),
        sa.Unicode(40),
        sa.Uuid(),
        Money(),
        UtcDateTime(),
        Day,
        sa.Boolean(),
    )
    columns: list[Any] = [sa.column(name, type_) for name, type_ in zip(names, types, strict=True)]  # type: ignore[arg-type]
    azure.script = lambda statement: (
        Rows(names, [row, (None,) * 7]) if "FROM somewhere" in statement.sql else default_script(statement)
    )
    with azure_engine.begin() as connection:
        got = connection.execute(sa.select(*columns).select_from(sa.table("somewhere"))).all()

    assert [tuple(each) for each in got] == [row, (None,) * 7]


PLACES = sa.table(
    "places",
    sa.column("name", sa.Unicode(40)),
    sa.column("at", UtcDateTime()),
    sa.column("number", sa.BigInteger()),
    sa.column("day", Day),
)


def test_a_null_is_written_into_the_statement_and_the_other_values_stay_in_their_places(azure, azure_engine):
    rows = [{"name": "a", "at": None, "number": 7, "day": None}, {"name": None, "at": None, "number": 8, "day": None}]
    with azure_engine.begin() as connection:
        connection.execute(PLACES.insert(), rows[0])
        connection.execute(PLACES.insert(), rows)
        connection.execute(PLACES.update().values(name=sa.bindparam("to")).where(sa.text("[a?b] = '?'")), {"to": None})
    one, many, changed = (each for each in azure.statements if "places" in each.sql)

    instant, day = "CAST(NULL AS DATETIMEOFFSET(3))", "CAST(NULL AS DATE)"
    assert (one.sql.partition(" VALUES ")[2], one.values) == (f"(@P1, {instant}, @P2, {day})", ("a", 7))
    assert (many.sql.partition(" VALUES ")[2], many.values) == (
        f"(@P1, {instant}, @P2, {day}), (CAST(NULL AS NVARCHAR(40)), {instant}, @P3, {day})",
        ("a", 7, 8),
    )
    assert changed.sql == "UPDATE places SET name=CAST(NULL AS NVARCHAR(40)) WHERE [a?b] = '?'"


def test_a_text_is_declared_with_its_columns_length_or_its_own_if_longer(azure, azure_engine):
    slug = sa.bindparam("slug", type_=sa.String(8))
    name = sa.bindparam("name", type_=sa.Unicode(40))
    ask_for: sa.Select[Any] = sa.select(sa.literal_column("1")).where(
        sa.column("slug") == slug, sa.column("name") == name
    )
    azure.script = lambda statement: Rows(("",), []) if "slug" in statement.sql else default_script(statement)
    values = [("", ""), ("a", "𝄞" * 20), ("contoso1", "Zoë"), ("contoso-9", "𝄞" * 20 + "a")]
    with azure_engine.begin() as connection:
        for slug_, name_ in values:
            connection.execute(ask_for, {"slug": slug_, "name": name_})
    sent = [each for each in azure.statements if "slug" in each.sql]

    assert [each.values for each in sent] == values
    assert [each.declared for each in sent[:3]] == [("varchar(8)", "nvarchar(40)")] * 3
    assert [int(re.sub(r"\D", "", declared)) for declared in sent[3].declared] >= [9, 41]


def test_every_connection_has_the_time_limits_however_its_last_user_changed_them(azure, azure_engine):
    limits = []
    for seconds in (0, 300):
        with azure_engine.begin() as connection:
            driver: Any = connection.connection.driver_connection
            limits.append(driver.timeout)
            limit_statements(connection, seconds)
            limits.append(driver.timeout)

    assert limits == [azure_sql.STATEMENT_SECONDS, 0, azure_sql.STATEMENT_SECONDS, 300]
    assert azure.texts.count("SET LOCK_TIMEOUT 7000") == len(azure.logins) == 1


def test_a_statement_that_takes_too_long_is_given_up(azure, monkeypatch):
    monkeypatch.setattr(azure_sql, "STATEMENT_SECONDS", 1)
    engine = azure_sql.build_engine(sa.make_url(azure.url), pool_size=2, wait_seconds=5, credential=Identity())
    answered = threading.Event()

    def script(statement):
        if "SELECT 42" in statement.sql:
            answered.wait(10)
        return default_script(statement)

    azure.script = script
    with engine.connect():  # another of the pool, which is kept
        with pytest.raises(sa.exc.OperationalError, match="timeout expired") as caught:
            ask(engine)
        answered.set()
    engine.connect().close()

    assert is_transient(caught.value)
    assert len(azure.logins) == 2


def test_the_identity_is_made_only_when_it_is_needed(azure, monkeypatch):
    made: list[object] = []
    monkeypatch.setattr(azure_sql, "_identity", lambda: made.append(Identity()))
    azure_sql.build_engine(sa.make_url(azure.url).set(username="sa"), pool_size=1, wait_seconds=5).dispose()

    assert made == []
