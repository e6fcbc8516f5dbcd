"""The data that the local cloud stores and logs for a browser with identifying headers."""

import subprocess
import sys

import pytest
import sqlalchemy as sa

from shared.db.engine import make_engine
from shared.db.schema import tenants
from tests.devcloud import processes
from tests.support.commands import Ops
from tests.support.logs import find_forbidden, find_leaks
from tests.support.scan import all_values, find_columns
from tests.support.world import WORK_ITEM, Http


BEN = ("ben@contoso.example", "Ben Okafor")


@pytest.fixture(scope="module")
def used(tmp_path_factory) -> tuple[str, list[str]]:
    """A used demo: the URL of its database, and the logs of the product."""
    folder = tmp_path_factory.mktemp("demo")
    port, log = processes.free_ports(), folder / "log"
    command = [sys.executable, "-m", "devcloud", "run", "--port", str(port), "--data", str(folder / "data")]
    with (
        log.open("w") as said,
        subprocess.Popen(
            command, cwd=processes.ROOT, env=processes.environment(), stdout=said, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        try:
            processes.wait_for(lambda: "Ready." in log.read_text() or process.poll() is not None, seconds=90)
            assert process.poll() is None, log.read_text()
            use(Http(f"http://127.0.0.1:{port}"), f"http://127.0.0.1:{port + 1}")
        finally:
            process.terminate()
            process.wait(30)
    url = f"sqlite:///{folder}/data/timetracker.db"
    return url, [line for line in log.read_text().splitlines() if line.startswith("host |")]


def use(http, authority):
    """Some calls of every kind, also refused ones."""
    people = [token(name, authority) for name in ("ada", "ben")]
    calls = [
        ("POST", "sign-in", None),
        ("POST", "timers/start", {**WORK_ITEM, "note": "seen by nobody"}),
        ("POST", "timers/stop", None),
        ("POST", "timers/stop", None),
        ("POST", "actions", {"type": "page.open", "page": "/reports"}),
        ("GET", "reports/month?month=2026-11", None),
        ("GET", "privacy/export", None),
        ("GET", "users/nobody", None),
    ]
    for who in people:
        for method, path, body in calls:
            assert http.send(method, path, body, token=who).status < 500
    assert http.send("GET", "me", token="eyJ.not.one").status == 401
    landing = http.send("GET", "marketplace/landing?token=of-a-purchase")
    assert landing.status < 500
    http.pool.clear()


def token(name, authority):
    done = processes.devcloud("token", name, "--authority", authority)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_demo_stores_and_logs_no_data_against_the_policy_and_erases_people(used):
    url, lines = used
    engine = make_engine(url)
    kept = find_forbidden(all_values(engine))
    before = find_columns(engine, *BEN)
    with engine.connect() as tx:
        tenant = tx.scalar(sa.select(tenants.c.public_id).where(tenants.c.slug.startswith("contoso")))
    ops = Ops(url)
    asked = ops("privacy", "erase", str(tenant), "--user", BEN[0], "--verified", "--yes")
    done = ops("privacy", "run")
    after = find_columns(engine, *BEN)
    engine.dispose()

    assert any('"event": "token_refused"' in line for line in lines)
    assert find_leaks(lines) == []
    assert kept == set()
    assert {"users.email", "users.display_name"} <= before
    assert (asked.code, done.code) == (0, 0), asked.err + done.err
    assert "Requests completed: 1." in done.err
    assert after == set()
