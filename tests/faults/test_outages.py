"""Outages and long locks of the database lose nothing, and the host recovers by itself."""

import itertools
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
import sqlalchemy as sa

from devcloud import postgres
from shared.app import use
from shared.auth.signing_keys import SigningKeys
from shared.db import engine as db_engine
from shared.db.engine import LOCK_WAIT_SECONDS, make_engine
from shared.db.schema import users
from shared.settings import Settings
from tests.faults import product
from tests.faults.acknowledged_time import AcknowledgedTime, StoredTime, violations
from tests.faults.product import via
from tests.support import apps
from tests.support.databases import migrate
from tests.support.world import Answer, Http, Person, World, new_id
from tools.chaos.cloud import processes


CLIENTS, ENOUGH, PATIENCE = 6, 12, 60
INTERNAL_WORDS = (b"psycopg", b"sqlite", b"SELECT", b"INSERT", b"127.0.0.1", b".py", b"Error", b"Traceback", b"locked")


def assert_unavailable(answer: Answer) -> None:
    """Checks for a 503 problem with Retry-After and without internal details."""
    assert (answer.status, answer.code) == (503, "temporarily_unavailable")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.body["requestId"] == answer.headers["X-Request-Id"]
    assert [word for word in INTERNAL_WORDS if word in answer.raw] == []
    assert "Nothing was changed" not in answer.body["detail"]  # the COMMIT may have been lost


@dataclass
class Client:
    """A person who starts and stops repeatedly, and retries half of the failed requests."""

    person: Person
    base: str
    time: AcknowledgedTime
    over: threading.Event
    acknowledged: int = 0
    given_up: int = 0
    refused: list[Answer] = field(default_factory=list)

    def run(self) -> None:
        requests_ = itertools.cycle((self._start, self._stop))
        for number, request in enumerate(requests_):
            if self.over.is_set():
                return
            self._send_until_acknowledged(partial(request, new_id()), again=number % 4 < 2)

    def _send_until_acknowledged(self, request: partial[Answer], *, again: bool) -> None:
        while not self.over.is_set():
            answer = request()
            self.time.note(answer)
            if answer.status < 500:
                assert answer.status in {200, 201, 409}, answer.raw
                self.acknowledged += 1
                return
            self.refused.append(answer)
            self.over.wait(0.1)
            if not again:
                self.given_up += 1
                return
        self.given_up += 1

    def _start(self, key: str) -> Answer:
        return via(self.person, self.base).start(7, key=key)

    def _stop(self, key: str) -> Answer:
        return via(self.person, self.base).stop(key=key)


@contextmanager
def run_clients(clients: list[Client]) -> Iterator[None]:
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for client in clients:
            client.over.set()
        for thread in threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in threads), "a client has not stopped"


@pytest.fixture
def own_server() -> Iterator[postgres.LocalServer]:
    with postgres.local_server() as server:
        yield server


def wait_for_each(clients: list[Client], what: str, many: int) -> None:
    def counted(client: Client) -> int:
        return client.acknowledged if what == "acknowledged" else len(client.refused)

    wanted = [counted(client) + many for client in clients]
    tick = threading.Event()
    for _ in range(PATIENCE * 50):
        if all(counted(client) >= goal for client, goal in zip(clients, wanted, strict=True)):
            return
        tick.wait(0.02)
    raise AssertionError(f"{what}: {[counted(client) for client in clients]}, wanted {wanted}")


def test_a_crash_of_the_database_loses_nothing_acknowledged_and_the_host_recovers(own_server, entra, tmp_path):
    url = migrate(postgres.make_database(own_server.url, "crashes"))
    acknowledged, over = AcknowledgedTime(), threading.Event()
    with product.host(tmp_path / "log", product.environment(url, entra)) as base:
        clients = [Client(product.admin(entra, base), base, acknowledged, over) for _ in range(CLIENTS)]
        with run_clients(clients):
            wait_for_each(clients, "acknowledged", ENOUGH)
            own_server.crash()
            wait_for_each(clients, "refused", 1)
            own_server.start()
            wait_for_each(clients, "acknowledged", ENOUGH)
        engine = make_engine(url)
        stored = StoredTime.of(engine, *(client.person.tid for client in clients))
        found = violations(engine)
        engine.dispose()

    for answer in itertools.chain.from_iterable(client.refused for client in clients):
        assert_unavailable(answer)
    given_up = sum(client.given_up for client in clients)
    assert found == []
    assert set(stored.started.values()) == {1}
    assert acknowledged.started <= stored.started
    assert stored.entries == stored.stopped
    assert acknowledged.ended.items() <= stored.entries.items()
    assert len(stored.started) + len(stored.entries) - len(acknowledged.started) - len(acknowledged.ended) <= given_up


def test_a_silent_database_connection_is_given_up_and_the_repeat_succeeds(  # noqa: PLR0917 - fixtures
    own_server, host, entra, clock, tmp_path, monkeypatch
):
    monkeypatch.setitem(db_engine._PROBES, "tcp_user_timeout", 3_200)  # milliseconds, not ten seconds
    url = sa.make_url(migrate(postgres.make_database(own_server.url, "silence")))
    assert url.port is not None
    direct = make_engine(url.render_as_string(hide_password=False))
    with processes.start_proxy(tmp_path / "proxy", url.port) as proxy:
        through = url.set(port=proxy.port).render_as_string(hide_password=False)
        settings, engine = Settings.from_env(product.environment(through, entra)), make_engine(through)
        with apps.running_app(settings, direct, engine, SigningKeys(settings.entra_keys_url), clock):
            ada = World(Http(host), entra, clock).tenant()
            started = ada.start(7).body
            proxy.set_mode("hole")
            refused = ada.stop(key="stop")
            proxy.set_mode("open")
            stopped = ada.stop(key="stop")
        engine.dispose()
    stored = StoredTime.of(direct, ada.tid)
    direct.dispose()

    assert_unavailable(refused)
    assert (stopped.status, stopped.body["id"]) == (200, started["id"])
    assert stored.entries == {started["id"]: stopped.body["elapsedMs"]}


def test_without_its_database_a_host_starts_and_says_so(entra, tmp_path):
    nobody = f"postgresql+psycopg://timetracker@127.0.0.1:{postgres._free_port()}/nothing"
    with product.host(tmp_path / "log", product.environment(nobody, entra)) as base:
        health = Http(base).send("GET", "health")
        registered = product.register(product.person(entra, base))

    assert_unavailable(health)
    assert_unavailable(registered)


@contextmanager
def hold_lock(url: str, oid: str) -> Iterator[None]:
    """Holds a lock that a write of this person needs."""
    if url.startswith("sqlite"):
        other = sqlite3.connect(str(sa.make_url(url).database), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.close()
        return
    engine = make_engine(url)
    mine = users.c.entra_object_id == sa.bindparam("oid", type_=sa.Uuid(as_uuid=False))
    with engine.connect() as connection, connection.begin():
        row = sa.select(users).with_hint(users, "WITH (UPDLOCK, ROWLOCK)", "mssql").with_for_update()
        connection.execute(row.where(mine), {"oid": oid}).all()
        yield
    engine.dispose()


def test_a_lock_held_for_longer_than_we_wait_is_503_and_the_repeat_is_done(one_host, entra, engine, database_url):
    ada = product.admin(entra, one_host)
    started = ada.start(7).body
    before = StoredTime.of(engine, ada.tid)
    with hold_lock(database_url, ada.oid):
        refused = ada.stop(key="stop")
        read = ada.running()
        left = StoredTime.of(engine, ada.tid)
    stopped = ada.stop(key="stop")

    assert_unavailable(refused)
    assert (read.status, read.body["id"]) == (200, started["id"])
    assert left == before
    assert (stopped.status, stopped.body["id"]) == (200, started["id"])
    assert StoredTime.of(engine, ada.tid).entries == {started["id"]: stopped.body["elapsedMs"]}


class BusyLock:
    """A lock that never becomes free."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def acquire(self, *, timeout: float) -> bool:
        self.waits.append(timeout)
        return False


def test_a_thread_in_the_queue_of_writers_waits_once(world, app, engine):
    if engine.dialect.name != "sqlite":
        pytest.skip("only SQLite has one writer")
    ada = world.tenant()
    lock = BusyLock()
    with use(replace(app, _writer=lock)):
        refused = ada.start(7, key="start")
        read = ada.running()
    started = ada.start(7, key="start")

    assert (refused.status, refused.code) == (503, "temporarily_unavailable")
    assert lock.waits == [LOCK_WAIT_SECONDS]
    assert (read.status, started.status) == (204, 201)
