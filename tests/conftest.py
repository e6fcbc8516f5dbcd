import functools
import gc
import itertools
import logging
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa

from devcloud import postgres
from shared.app import App
from shared.auth.signing_keys import SigningKeys
from shared.db.engine import make_engine
from shared.settings import Settings
from tests.support import apps, budget, markers, mssql, row_level_security, scan
from tests.support import azure_devops as azure_devops_support
from tests.support import azurite as azurite_support
from tests.support import entra as entra_support
from tests.support import host as host_support
from tests.support import marketplace as marketplace_support
from tests.support.azure_devops import AzureDevOps
from tests.support.azurite import Azurite
from tests.support.commands import Ops
from tests.support.databases import Databases
from tests.support.entra import Entra
from tests.support.logs import LogCollector, find_forbidden, find_leaks, read_followed
from tests.support.marketplace import Marketplace, Receiver
from tests.support.world import FakeClock, Http, World


ENGINES = ["sqlite", "postgresql", *(["mssql"] if mssql.is_given() else [])]
SLOW = {"browser", "chaos", "clients", "devcloud", "faults", "fuzz"}  # folders whose tests take long
FEW = 6  # tests in a small module, in which one usually has many examples
# No deadline, since machines may be busy. Fixed examples; with --all, random ones.
hypothesis.settings.register_profile(
    "steady",
    deadline=None,
    derandomize=not budget.ALL,
    max_examples=budget.tries(100),
    print_blob=True,
)
hypothesis.settings.load_profile("steady")
TRANSACTION_VERBS = ("BEGIN", "COMMIT", "ROLLBACK", "SELECT set_config")  # the last sets the tenant
_VERBS = ("do_execute", "do_executemany", "do_execute_no_params")
# scripts/mutants needs only the first failing example, not the smallest.
FIRST_ONLY = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
hypothesis.settings.register_profile("mutants", deadline=None, derandomize=True, phases=FIRST_ONLY)
INTERNAL_TID = "0d1e2f30-4152-4637-8849-5a6b7c8d9eaf"
# A background job of a shell ignores SIGINT, as do its children; some tests send SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)


gc.disable()  # until the tests are collected: most objects of that time stay, and each run would visit all of them


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.hookimpl(trylast=True)  # after other plugins' selection
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs slow modules first and small ones last, so that parallel processes end at about the same time.

    With `--all`, its time limit replaces those of the plain run.
    """
    if not budget.ALL:
        items[:] = [item for item in items if not _repeats_http(item)]
    sizes = Counter(item.path for item in items)
    long = {path for path in sizes if SLOW & set(path.parts) or sizes[path] <= FEW}
    items.sort(
        key=lambda item: (item.path not in long, -sizes[item.path], item.path)
    )  # tests of a module stay in order
    for item in items:
        if budget.ALL:
            item.add_marker(pytest.mark.timeout(budget.SECONDS), append=False)
        for mark in item.iter_markers("skip_on"):
            if isinstance(item, pytest.Function) and mark.args == (_engine_of(item),):
                item.add_marker(pytest.mark.skip(reason=f"not on {mark.args[0]}: {mark.kwargs['reason']}"))


def _repeats_http(item: pytest.Item) -> bool:
    """Whether this test of HTTP alone also runs on SQLite."""
    is_http = item.get_closest_marker("http_only") is not None
    return is_http and isinstance(item, pytest.Function) and _engine_of(item) not in {None, "sqlite"}


def _engine_of(item: pytest.Function) -> str | None:
    """The kind of a test's database, if any."""
    callspec = getattr(item, "callspec", None)
    engine: str | None = callspec.params.get("database_url") if callspec is not None else None
    return engine


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres.server() as url:
        yield url


@pytest.fixture(scope="session")
def mssql_server(tmp_path_factory) -> Iterator[str]:
    with mssql.server(tmp_path_factory.mktemp("mssql")) as url:
        yield url


@pytest.fixture(scope="session")
def databases(request, tmp_path_factory, worker_id) -> Databases:
    def server_of(kind: str) -> str:
        url: str = request.getfixturevalue({"postgresql": "postgres_server", "mssql": "mssql_server"}[kind])
        return url

    return Databases(tmp_path_factory.mktemp("databases"), worker_id, server_of)


@pytest.fixture(scope="module")
def make_database(databases) -> Iterator[Callable[[str, str], str]]:
    """Creates empty, migrated databases for a module, by kind and name; returns the URL."""
    with ExitStack() as stack:
        yield lambda kind, name: stack.enter_context(databases.create(kind, name))


@pytest.fixture(scope="module", params=ENGINES)
def database_url(request, make_database) -> str:
    """An empty, migrated database of each kind, shared by the tests of a module."""
    url: str = make_database(request.param, "timetracker")
    if request.param == "postgresql":
        row_level_security.enable(url)
    return url


@pytest.fixture(scope="module")
def another_database(database_url, make_database) -> Callable[[str], str]:
    """Creates another database of the same kind, for tests that must not see data of the module's other tests."""
    return lambda name: make_database(sa.make_url(database_url).get_backend_name(), name)


@pytest.fixture(scope="module")
def app_database_url(request, database_url) -> str:
    """The app's URL of the database: on servers with a role without DDL, on PostgreSQL with row-level security."""
    kind = sa.make_url(database_url).get_backend_name()
    if kind == "mssql":
        return mssql.make_login(request.getfixturevalue("mssql_server"), database_url, "timetracker_app")
    return row_level_security.app_role(database_url) if kind == "postgresql" else str(database_url)


@pytest.fixture(scope="session")
def engine_of() -> Callable[[str, str], sa.Engine]:
    """The engine of a URL for a purpose, cached so that modules share its compiled statements."""
    return functools.cache(lambda _use, url: make_engine(url))


@pytest.fixture(scope="module")
def engine(database_url, engine_of) -> Iterator[sa.Engine]:
    """The database of the module; at the end without forbidden data and data of people without accounts."""
    engine = engine_of("scan", database_url)
    yield engine
    stored = find_forbidden(scan.all_values(engine))
    left = scan.find_people_without_account(engine)
    markers.clear_people()
    engine.dispose()
    assert (stored, left) == (set(), set())


@pytest.fixture(scope="module")
def app_engine(app_database_url, engine_of) -> Iterator[sa.Engine]:
    engine = engine_of("app", app_database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """One for all databases, since random keys separate their data."""
    with azurite_support.required() as running:
        yield running
        assert find_forbidden(running.everything()) == set()


@pytest.fixture(scope="session")
def entra(tmp_path_factory) -> Iterator[Entra]:
    with entra_support.running(tmp_path_factory.mktemp("entra")) as emulator:
        yield emulator


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook that records the calls of the Marketplace."""
    with marketplace_support.running_receiver() as receiver:
        yield receiver


@pytest.fixture
def marketplace(entra, receiver, clock, tmp_path) -> Iterator[Marketplace]:
    """A Marketplace for one test, with the test's clock and receiver."""
    with marketplace_support.running(tmp_path, entra.authority, webhook=receiver.url, now=clock) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def azure_devops_server() -> Iterator[AzureDevOps]:
    with azure_devops_support.running() as emulator:
        yield emulator


@pytest.fixture
def azure_devops(azure_devops_server) -> Iterator[AzureDevOps]:
    """Contoso's demo backlog, without faults; reset after the test."""
    yield azure_devops_server
    azure_devops_server.reset()


@pytest.fixture(scope="session")
def host() -> Iterator[str]:
    os.environ.setdefault("MONTH_CLOSE_SCHEDULE", "0 5 * * * *")
    os.environ.setdefault("TRIAL_EXPIRY_SCHEDULE", "0 20 * * * *")
    os.environ.setdefault("FORGOTTEN_TIMER_SCHEDULE", "0 */5 * * * *")
    os.environ.setdefault("RETENTION_SCHEDULE", "0 10 * * * *")
    os.environ.setdefault("USAGE_SCHEDULE", "0 15 * * * *")
    with host_support.serving() as base:
        yield base


@pytest.fixture(scope="session", autouse=True)
def log_collector() -> Iterator[LogCollector]:
    """All log lines at the level stored in Azure, of all libraries."""
    collector, root = LogCollector(), logging.getLogger()
    before = root.level
    root.setLevel(logging.INFO)
    root.addHandler(collector)
    yield collector
    root.removeHandler(collector)
    root.setLevel(before)
    assert find_leaks(read_followed()) == []  # of processes that ended after the last test


@pytest.fixture(autouse=True)
def nothing_personal_is_logged(log_collector) -> Iterator[None]:
    """Checks the log lines of each test against the privacy policy."""
    yield
    assert find_leaks([*log_collector.read_new(), *read_followed()]) == []


@pytest.fixture(scope="session")
def internal_tid() -> str:
    return INTERNAL_TID


@pytest.fixture(scope="module")
def settings(entra, azure_devops_server, app_database_url) -> Settings:
    return Settings.from_env(
        {
            "DATABASE_URL": app_database_url,
            "ENTRA_AUTHORITY": entra.authority,
            "ENTRA_API_CLIENT_ID": entra_support.API_CLIENT_ID,
            "ENTRA_CLIENT_IDS": f"{entra_support.EXTENSION_CLIENT_ID},{entra_support.SCRIPTS_CLIENT_ID}",
            "CORS_ALLOWED_ORIGINS": "https://extension.example",
            "AZURE_DEVOPS_URL": azure_devops_server.url,
            "INTERNAL_TENANT_IDS": INTERNAL_TID,
        }
    )


@pytest.fixture(scope="module")
def signing_keys(settings) -> SigningKeys:
    return SigningKeys(settings.entra_keys_url)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ops(app_database_url) -> Ops:
    """The operators' command line, on the app's database."""
    return Ops(app_database_url)


@pytest.fixture
def app(settings, engine, app_engine, signing_keys, clock) -> Iterator[App]:
    with apps.running_app(settings, engine, app_engine, signing_keys, clock) as app:
        yield app


@pytest.fixture
def http(app, host) -> Iterator[Http]:  # noqa: ARG001 - the app serves the requests
    http = Http(host)
    yield http
    http.pool.clear()


@pytest.fixture
def world(http, entra, clock) -> World:
    return World(http, entra, clock)


@pytest.fixture
def record_statements(engine, app_engine, monkeypatch) -> Callable[[], AbstractContextManager[list[str]]]:
    """A context that records the statements sent in it, in the dialects' methods that call the driver."""
    sent: list[str] = []
    for dialect, verb in itertools.product((engine.dialect, app_engine.dialect), _VERBS):
        inner = getattr(dialect, verb)

        def run(cursor: Any, statement: str, *more: object, inner: Callable[..., Any] = inner) -> Any:  # noqa: ANN401
            if not statement.startswith(TRANSACTION_VERBS):
                sent.append(statement)
            return inner(cursor, statement, *more)

        monkeypatch.setattr(dialect, verb, run)

    @contextmanager
    def counting() -> Iterator[list[str]]:
        sent.clear()
        found: list[str] = []
        yield found
        found += sent

    return counting
