"""The demo tenants are in the database whenever `python -m devcloud run` is ready, unless it was not wanted."""

import re
import sqlite3
import subprocess
import sys

import requests

from tests.devcloud import processes


def run_until_ready(data, *arguments, at_ready=lambda _: None, **changes):
    command = [sys.executable, "-m", "devcloud", "run", "--port", str(processes.free_ports()), "--data", str(data)]
    with subprocess.Popen(
        [*command, *arguments],
        cwd=processes.ROOT,
        env=processes.environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("Ready."):
                at_ready("".join(said))
                process.terminate()
        assert process.wait(30) == 0, "".join(said)
    return "".join(said)


def tenants(database):
    connection = sqlite3.connect(database)
    try:
        return connection.execute("SELECT count(*) FROM tenants").fetchone()[0]
    finally:
        connection.close()


def test_a_run_without_the_demo_prints_addresses_that_open_and_the_next_run_loads_the_demo(tmp_path):
    data, database = tmp_path / "data", tmp_path / "database-of-mine.db"
    data.mkdir()
    opened = {}

    def open_all(banner):
        for name, url in re.findall(r"^(\w.*?)   +(http://\S+)", banner, re.MULTILINE):
            response = requests.get(url, timeout=10)
            opened[name] = (response.status_code, response.headers["Content-Type"].partition(";")[0])

    url = f"sqlite:///{database}"
    without = run_until_ready(data, "--no-demo", at_ready=open_all, DATABASE_URL=url)
    empty = tenants(database)
    output = run_until_ready(data, DATABASE_URL=url)

    assert (empty, tenants(database)) == (0, 2)
    assert "super admin" not in without
    assert "/api/tenants" in without  # the first step without a tenant
    assert opened == {
        "TimeTracker": (200, "text/html"),
        "API contract (OpenAPI)": (200, "application/json"),
        "Sign-in (Microsoft Entra emulator)": (200, "text/html"),
        "Purchases (Azure Marketplace emulator)": (200, "text/html"),
        "Work items (Azure DevOps emulator)": (200, "text/html"),
    }
    assert "host | GET /api/openapi.json 200" in without
    assert "The database is the one that DATABASE_URL names, not the one under --data." in output
    assert not any(database.name.encode() in path.read_bytes() for path in data.rglob("*") if path.is_file())
