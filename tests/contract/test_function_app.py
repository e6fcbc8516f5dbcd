"""The app as Microsoft's worker library sees it."""

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

import function_app
from shared.http.operation import OPERATIONS
from tools import cold_start


assert function_app.app, "indexing the app is what registers the operations"
ROOT = Path(__file__).resolve().parents[2]
INDEX = """
import asyncio, json, sys
from pathlib import Path
from devcloud.functions.worker import Worker
worker = asyncio.run(Worker.start(Path(sys.argv[1])))
print(json.dumps({f.name: [f.trigger["type"], f.route, sorted(f.methods or [])] for f in worker.functions.values()}))
worker.close(grace_seconds=5)
"""


@pytest.fixture(scope="module")
def function_index():
    run = subprocess.run(
        [sys.executable, "-c", INDEX, str(ROOT)], cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_the_worker_takes_every_function(function_index):
    http = {name for name, (kind, _, _) in function_index.items() if kind == "httpTrigger"}
    timers = {name for name, (kind, _, _) in function_index.items() if kind == "timerTrigger"}

    assert http == {*OPERATIONS, "zz_no_such_route"}
    assert timers == {
        "carry_out_erasures",
        "close_months",
        "check_invariants",
        "end_invitations",
        "end_trials",
        "reconcile_subscriptions",
        "reconcile_usage",
        "remove_expired",
        "send_usage",
        "stop_forgotten_timers",
    }


def modules_of(*layers):
    return [
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for top in ("shared", "timers", "tenants", "reports", "billing", "webhooks", "privacy")
        for path in sorted((ROOT / top).rglob("*.py"))
        if path.stem.split("_")[-1] in layers
    ]


def test_every_blueprint_is_registered_once():
    made = [each.blueprint for each in modules_of("routes", "jobs") if hasattr(each, "blueprint")]
    registered = [each for each in function_app.BLUEPRINTS if each in made]

    assert len(made) >= 30
    assert sorted(map(id, registered)) == sorted(map(id, made))


def test_the_invariants_of_every_slice_are_checked():
    modules = modules_of("invariants")
    offered = [
        (name, query)
        for module in modules
        for each in vars(module).values()
        if isinstance(each, dict)
        for name, query in each.items()
        if isinstance(query, sa.Select)
    ]

    assert len(modules) >= 4
    assert {name for name, _ in offered} == set(function_app.INVARIANTS)
    assert [name for name, query in offered if function_app.INVARIANTS[name] is not query] == []


def test_the_catch_all_route_sorts_last(function_index):
    # the platform takes the first route that matches, functions sorted by name
    assert max(function_index, key=str.upper) == "zz_no_such_route"


def test_no_two_functions_have_the_same_route_and_method(function_index):
    taken = [
        (route, method)
        for kind, route, methods in function_index.values()
        if kind == "httpTrigger"
        for method in methods
    ]

    assert len(taken) == len(set(taken))


def test_one_broken_function_is_reported_by_name(tmp_path):
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    (tmp_path / "function_app.py").write_text(
        "import azure.functions as func\n"
        "app = func.FunctionApp()\n"
        "@app.route(route='x')\n"
        "def broken(request: func.HttpRequest) -> func.HttpResponse: ...\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", INDEX, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert run.returncode != 0
    assert "broken" in run.stderr.splitlines()[-1]


HEAVY = (
    "alembic",
    "devcloud",
    "requests",
    "azure.identity",
    "azure.data.tables",
    "pyodbc",
    "psycopg",
    "hypothesis",
    "uvicorn",
    "typer",
    "xlsxwriter",
    "fpdf",
    "jinja2",
    "PIL",
    "msal",
    "numpy",
    "ops",
    "pandas",
    "sqlalchemy.orm",
    "migrations",
    "openpyxl",
    "pypdf",
    "tests",
    "tools",
)


@pytest.fixture(scope="module")
def bare_start(tmp_path_factory):
    """Imports the app in an environment without settings; prints the imported heavy packages."""
    folder = tmp_path_factory.mktemp("bare")
    bare = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    code = f"import function_app, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, env=bare, capture_output=True, text=True, check=False, timeout=60)


def test_the_app_imports_nothing_heavy_before_it_is_needed(bare_start):
    assert bare_start.stdout.strip() == "[]", bare_start.stderr


def test_a_package_that_offers_a_client_does_not_import_it_and_neither_do_those_that_use_it():
    offer = ("timers.azure_devops", "billing.marketplace", "webhooks.landing.sign_in", "tenants.actions.log")
    use = ("billing.closing", "billing.metering", "billing.subscriptions")
    words = ("model", "usage_model", "errors")  # the types in the interface
    code = f"""
import importlib, sys
for name in {offer!r}:
    assert importlib.import_module(name).of
for name in {use!r}:
    assert importlib.import_module(name).__all__
inside = [name for name in sys.modules if name.startswith({offer!r}) and name not in {offer!r}]
print([name for name in inside if name.rpartition(".")[2] not in {words!r}])
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"


def test_a_cold_start_stays_within_its_budget_and_lists_the_slowest_imports():
    before = time.monotonic()
    start = cold_start.measure(runs=1)
    seconds = time.monotonic() - before
    lines = cold_start.report(start, max_modules=5).splitlines()

    assert start.is_within_budget, cold_start.report(start)
    assert {
        "sqlalchemy",
        "pydantic",
        "azure.functions",
        "shared.app",
        "timers.running.routes",
    } <= start.milliseconds.keys()
    assert sum(start.milliseconds.values()) / 1000 < seconds  # no import counts twice
    assert (len(lines), lines[-1].endswith("a cold start may take")) == (8, True)


def test_requirements_of_developers_and_operators_are_not_deployed():
    deployed = {line.partition("==")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()}

    assert deployed & {"alembic", "typer", "rich", "hypothesis", "croniter", "uvicorn", "psycopg", "pandas"} == set()


def test_the_app_indexes_without_settings_and_without_a_network(bare_start):
    assert bare_start.returncode == 0, bare_start.stderr
