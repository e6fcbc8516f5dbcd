import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devcloud import processes
from tests.support.commands import CommandResult


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    data = tmp_path_factory.mktemp("marketplace")
    command = [sys.executable, "-m", "devcloud", "marketplace", "serve", "--port", "0", "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=processes.ROOT) as started:
        yield started
        started.kill()


@pytest.fixture(scope="module")
def url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    ready = process.stdout.readline()
    assert ready.startswith("marketplace ready on http://127.0.0.1:")
    return ready.removeprefix("marketplace ready on ").strip()


def run(*arguments: str) -> CommandResult:
    return processes.in_this_process("marketplace", *arguments)


def test_a_purchase_is_made_changed_and_listed(url: str):
    bought = run("buy", "ada", "--plan", "seats", "--quantity", "3", "--at", url)
    subscription, landing = bought.out.split()
    document = json.dumps({"person": "ben", "active": True})
    active = json.loads(run("admin", "buy", document, "--at", url).out)["subscription"]

    changed = run("change", active[:13], "--plan", "gold", "--at", url)
    listed = run("list", "--at", url)
    managed = run("manage", subscription, "--at", url)

    assert landing.startswith("http://127.0.0.1:7071/api/marketplace/landing?token=")
    assert (changed.code, len(changed.out.strip())) == (0, 36)
    assert f"{subscription}  PendingFulfillmentStart  seats  3  ada@contoso.example" in listed.out
    assert managed.out.startswith("http://127.0.0.1:7071/api/marketplace/landing?token=")
    assert managed.out.strip() != landing


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("buy", "zed"), "marketplace: Unknown person 'zed'.\n"),
        (
            ("suspend", "zzz"),
            "marketplace: no subscriptions begin with 'zzz'; see: python -m devcloud marketplace list\n",
        ),
        (("admin", "buy", "{"), "marketplace: the body is not JSON\n"),
    ],
)
def test_an_error_is_one_line(url: str, arguments: tuple[str, ...], message: str):
    done = run(*arguments, "--at", url)

    assert (done.code, done.out, done.err) == (1, "", message)


def test_a_missing_emulator_is_one_line():
    done = run("stats", "--at", "http://127.0.0.1:1")

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("marketplace: no emulator answers on http://127.0.0.1:1")


def test_a_taken_port_is_one_line(url: str, tmp_path: Path):
    done = processes.devcloud("marketplace", "serve", "--port", url.rpartition(":")[2], "--data", str(tmp_path))

    assert (done.returncode, done.stdout) == (1, "")
    assert "is taken" in done.stderr


def test_it_stops_on_a_signal(process: subprocess.Popen[str], url: str):
    assert url
    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=10) == 0
