"""Claims on every implementation of the action log, and on single ones."""

import contextlib
import datetime as dt
import socket
import subprocess
import sys
import threading
import uuid
from dataclasses import replace

import pytest
import sqlalchemy as sa

from shared.db.schema import tenants, users
from shared.errors import Unavailable
from shared.log import get_logger
from tenants.actions.log import choose
from tenants.actions.log.bounded import BoundedActionLog
from tenants.actions.log.cursor import decode, encode
from tenants.actions.log.model import Action, AppendFailed, LogQuery, month_of, row_key
from tenants.actions.log.sql import SqlActionLog
from tenants.actions.log.tables import TablesActionLog
from tests.support import azurite as azurite_support


START = dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC)
TAG = "0a1b2c3d"


@pytest.fixture(params=["sql", "tables"])
def log(request, app):
    if request.param == "sql":
        return SqlActionLog(app.transaction)
    return TablesActionLog(request.getfixturevalue("azurite").connection_string, app.transaction)


@pytest.fixture
def people(world, engine):
    """The row numbers of a tenant and of two of its people."""
    admin = world.tenant()
    oids = [uuid.UUID(each.oid) for each in (admin, world.member(admin))]
    with engine.connect() as tx:
        where = sa.select(users.c.tenant_id, users.c.id).where(users.c.entra_object_id.in_(oids)).order_by(users.c.id)
        rows = tx.execute(where).all()
    return rows[0].tenant_id, [row.id for row in rows]


def action(tenant_id, user_id, at=START, tag=TAG, place=0):
    key = row_key(at, user_id=user_id, tag=tag, place=place)
    return Action(tenant_id, user_id, key, "timer.start", "/timer", at)


def page(log, tenant_id, user_id=None, after=None, most=100):
    return log.page(tenant_id, LogQuery(user_id=user_id, after=after, limit=most))


def pages(log, tenant_id, most, user_id=None):
    """All pages, each from where the one before ended."""
    found, after = [], None
    while rows := page(log, tenant_id, user_id, after, most):
        found.append(rows)
        after = rows[-1].row_key
    return found


def test_appended_actions_are_read_unchanged(log, people):
    tenant, (ada, _) = people
    log.append([action(tenant, ada, START + dt.timedelta(milliseconds=7))])

    assert page(log, tenant) == [action(tenant, ada, START + dt.timedelta(milliseconds=7))]


def test_an_empty_log_has_an_empty_page(log, people):
    assert page(log, people[0]) == []


def test_the_newest_comes_first_in_any_order_of_arrival(log, people):
    tenant, (ada, bob) = people
    minutes = [3, 1, 4, 15, 9, 2, 6]
    for minute in minutes:
        log.append([action(tenant, ada if minute % 2 else bob, START + dt.timedelta(minutes=minute))])

    assert [(row.happened_at - START).seconds // 60 for row in page(log, tenant)] == sorted(minutes, reverse=True)


def test_actions_of_one_request_and_instant_keep_their_order(log, people):
    tenant, (ada, _) = people
    log.append([replace(action(tenant, ada, place=place), page=f"/{place}") for place in range(12)])

    assert [row.page for row in page(log, tenant)] == [f"/{place}" for place in reversed(range(12))]


def test_pages_have_no_gaps_or_repeats_across_months(log, people):
    tenant, (ada, bob) = people
    instants = [START - dt.timedelta(days=9 * number) for number in range(11)]
    sent = [action(tenant, user, at, place=place) for at in instants for place, user in enumerate((ada, bob, ada))]
    log.append(sent)
    found = pages(log, tenant, most=4)

    assert len({month_of(row.row_key) for row in sent}) == 4
    assert [len(rows) for rows in found] == [4] * 8 + [1]
    assert [row.row_key for rows in found for row in rows] == sorted(row.row_key for row in sent)


def test_an_erasure_rewrites_pages_in_every_month_of_one_tenant(log, people):
    tenant, (ada, bob) = people
    instants = [START - dt.timedelta(days=day) for day in range(120)]
    log.append([action(tenant, (ada, bob)[day % 2], at) for day, at in enumerate(instants)])
    changed = log.rewrite(tenant, lambda user, shown: "" if user == bob else shown)
    again = log.rewrite(tenant, lambda user, shown: "" if user == bob else shown)
    found = [row for rows in pages(log, tenant, 50) for row in rows]

    assert (changed, again) == (60, 0)
    assert {(row.user_id, row.page) for row in found} == {(ada, "/timer"), (bob, "")}
    assert [row.happened_at for row in found] == instants


def test_only_the_tenants_actions_are_deleted(log, people, world, engine):
    tenant, (ada, _) = people
    with engine.connect() as tx:
        tid = uuid.UUID(world.tenant().tid)
        other = tx.execute(
            sa.select(users.c.tenant_id, users.c.id)
            .join(tenants, tenants.c.id == users.c.tenant_id)
            .where(tenants.c.entra_tenant_id == tid)
        ).one()
    log.append([action(tenant, ada, START - dt.timedelta(days=day), place=day) for day in range(120)])
    log.append([action(other.tenant_id, other.id)])

    assert (log.delete(tenant), log.delete(tenant)) == (120, 0)
    assert page(log, tenant) == []
    assert len(page(log, other.tenant_id)) == 1


def test_one_persons_actions_are_found_among_all(log, people):
    tenant, (ada, bob) = people
    sent = [action(tenant, (ada, bob)[day % 2], START - dt.timedelta(days=day)) for day in range(40)]
    log.append(sent)
    found = [row for rows in pages(log, tenant, 7, user_id=bob) for row in rows]

    assert found == [each for each in sent if each.user_id == bob]


def test_a_repeat_is_stored_once_and_new_actions_beside_it_are_stored(log, people):
    tenant, (ada, _) = people
    first = [action(tenant, ada, place=place) for place in range(3)]
    log.append(first)
    log.append([*first, action(tenant, ada, place=3)])
    log.append(first)

    assert len(page(log, tenant)) == 4


def test_more_than_a_hundred_at_once_are_stored(log, people):
    tenant, (ada, _) = people
    log.append([action(tenant, ada, place=place) for place in range(101)])

    assert len(page(log, tenant, most=200)) == 101


def test_a_tenant_sees_nothing_of_another(log, people, world, engine):
    tenant, (ada, _) = people
    log.append([action(tenant, ada)])
    with engine.connect() as tx:
        stranger = world.tenant()
        found = sa.select(users.c.tenant_id).where(users.c.entra_object_id == uuid.UUID(stranger.oid))
        other = tx.scalars(found).one()

    assert other != tenant
    assert page(log, other) == []
    assert page(log, tenant, user_id=ada + 1_000_000) == []


def test_requests_to_the_service_are_not_logged(azurite, app, people, log_collector):
    get_logger()
    log_collector.read_new()
    tenant, (ada, _) = people
    log = TablesActionLog(azurite.connection_string, app.transaction)
    log.append([action(tenant, ada)])
    log.page(tenant, LogQuery(limit=1))

    assert log_collector.read_new() == []


def test_a_row_key_with_other_characters_is_refused(azurite, app, people):
    tenant, (ada, _) = people
    log = TablesActionLog(azurite.connection_string, app.transaction)
    with pytest.raises(ValueError, match="row key"):
        log.append([replace(action(tenant, ada), row_key=f"{action(tenant, ada).row_key}/x")])


@pytest.fixture
def black_hole():
    """A port that takes connections, and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        yield silent.getsockname()[1]


@pytest.fixture
def drip():
    """A port that answers a letter at a time, so that no time limit of a socket ever strikes."""
    over = threading.Event()

    def answer(connection):
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not over.wait(0.2):
                connection.sendall(b"a")

    def accept(listening):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=[listening.accept()[0]], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, args=[listening], daemon=True).start()
        yield listening.getsockname()[1]
        over.set()
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture(params=["closed", "silent", "dripping"])
def dead_port(request, black_hole, drip):
    return {"closed": azurite_support.free_port(), "silent": black_hole, "dripping": drip}[request.param]


def test_an_outage_without_end_delays_only_the_first_request(dead_port, app, people):
    tenant, (ada, bob) = people
    endpoint = azurite_support.connection_string(dead_port)
    log = BoundedActionLog(lambda: TablesActionLog(endpoint, app.transaction), wait=0.3, pause=3600)
    reasons = []
    for _ in range(3):
        with pytest.raises(AppendFailed) as caught:
            log.append([action(tenant, ada), action(tenant, bob)])
        reasons.append(caught.value.reason)

        assert caught.value.count == 2
    assert reasons[0] != "paused"
    assert reasons[1:] == ["paused", "paused"]


def test_a_log_that_cannot_be_read_is_unavailable(app, people):
    log = choose(azurite_support.connection_string(azurite_support.free_port()), app.transaction)
    with pytest.raises(Unavailable, match="Try again"):
        page(log, people[0])


def test_actions_written_before_the_outage_do_not_count_as_lost(app, people):
    tenant, (ada, _) = people
    with azurite_support.required() as azurite:
        log = choose(azurite.connection_string, app.transaction)
        log.append([action(tenant, ada)])
        azurite.stop()
        with pytest.raises(AppendFailed) as caught:
            log.append([action(tenant, ada, tag="ffffffff"), action(tenant, ada, tag="fffffffe")])

    assert caught.value.count == 2


def test_after_the_pause_one_request_tries_and_a_success_ends_it(app):
    seconds = [0.0]
    sql = SqlActionLog(app.transaction)

    class Away:
        """Kept elsewhere, and not there until `back`."""

        back, tries = False, 0

        def append(self, actions):
            self.tries += 1
            if not self.back:
                raise AppendFailed(len(actions), "away")

        page, rewrite, delete = sql.page, sql.rewrite, sql.delete

    away = Away()
    log = BoundedActionLog(lambda: away, pause=15, seconds=lambda: seconds[0])
    outcomes = []
    for now, back in ((0, False), (1, True), (14.9, True), (15, False), (16, True), (30, True), (30, True)):
        seconds[0], away.back = now, back
        try:
            log.append([])
            outcomes.append("kept")
        except AppendFailed as error:
            outcomes.append(error.reason)

    assert outcomes == ["away", "paused", "paused", "away", "paused", "kept", "kept"]
    assert away.tries == 4


def test_a_cursor_has_the_row_key_without_row_ids():
    user = uuid.UUID("7d9ac0a5-93a3-4c5f-9b4d-0d6a2f0f8f11")
    key = row_key(START, user_id=123_456_789, tag=TAG, place=49)
    cursor = encode(key, user)

    assert decode(cursor).user == user
    assert decode(cursor).row_key(123_456_789) == key
    assert cursor == encode(row_key(START, user_id=5, tag=TAG, place=49), user)


@pytest.mark.parametrize("text", ["", "x", "%", "A" * 37, "A" * 39, "_" * 38, "é" * 38, "A" * 4000])
def test_text_that_is_no_cursor_is_refused(text):
    with pytest.raises(ValueError, match="cursor"):
        decode(text)


def test_no_azure_package_is_imported_before_the_log_is_used():
    code = (
        "import function_app, sys; from tenants.actions.log import choose; choose('UseDevelopmentStorage=true', None); "
        "print([name for name in sys.modules if name.startswith(('azure.data', 'azure.core', 'azure.identity'))])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"


def test_actions_of_one_type_are_found_among_all(log, people):
    tenant, (ada, bob) = people
    sent = [
        replace(
            action(tenant, (ada, bob)[day % 2], START - dt.timedelta(days=day)),
            action_type="timer.stop" if day % 3 else "page.open",
        )
        for day in range(40)
    ]
    log.append(sent)
    opened = log.page(tenant, LogQuery(limit=100, action_type="page.open"))
    bobs, after = [], None
    while rows := log.page(tenant, LogQuery(limit=2, action_type="page.open", user_id=bob, after=after)):
        bobs += rows
        after = rows[-1].row_key

    assert opened == [each for each in sent if each.action_type == "page.open"]
    assert bobs == [each for each in opened if each.user_id == bob]
    assert log.page(tenant, LogQuery(limit=100, action_type="page.ope")) == []
