"""Clients generated from the contract compile under strict checks, and make everyday calls."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import function_app
from shared.http.openapi import document
from tests.support import npm


ROOT = Path(__file__).resolve().parents[2]
TYPESCRIPT, PYTHON = (Path(__file__).parent / name for name in ("typescript", "python"))
VENV = ROOT / ".venv-clients"
assert function_app.app, "indexing the app is what registers the operations"
pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.timeout(300),
]


@pytest.fixture
def contract(tmp_path):
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document()), encoding="utf-8")
    return path


def run(*command: str | Path, folder: Path) -> None:
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_a_typescript_client_compiles_and_makes_everyday_calls(contract, world, host, tmp_path):
    npm.require(TYPESCRIPT)
    programs = TYPESCRIPT / "node_modules"
    for name in ("calls.ts", "tsconfig.json", "package.json"):
        (tmp_path / name).write_bytes((TYPESCRIPT / name).read_bytes())
    (tmp_path / "node_modules").symlink_to(programs)
    run(programs / ".bin/openapi-typescript", contract, "--output", "build/api.d.ts", folder=tmp_path)
    run(programs / ".bin/tsc", "--project", ".", folder=tmp_path)
    run("node", "build/calls.js", host, world.tenant().token, folder=tmp_path)


def test_a_python_client_compiles_and_makes_everyday_calls(contract, world, host, tmp_path):
    installed = subprocess.run(
        [ROOT / "scripts/venv", "requirements-clients.txt", VENV.name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode != 0 and os.environ.get("CI") != "true":
        pytest.skip(f"no client generator: {installed.stderr[-500:]}")
    assert installed.returncode == 0, installed.stderr
    client, programs = tmp_path / "timetracker_client", VENV / "bin"
    options = ("--meta", "none", "--config", PYTHON / "config.yml", "--fail-on-warning")
    generate = (programs / "openapi-python-client", "generate", "--path", contract, "--output-path", client)
    run(*generate, *options, folder=tmp_path)
    (client / "py.typed").touch()
    (tmp_path / "calls.py").write_bytes((PYTHON / "calls.py").read_bytes())
    cache = f"--cache-dir={VENV / 'mypy'}"  # of the packages' types
    run(programs / "mypy", cache, "--strict", "calls.py", "timetracker_client", folder=tmp_path)
    run(programs / "python", "calls.py", host, world.tenant().token, folder=tmp_path)
