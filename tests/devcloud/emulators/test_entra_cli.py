import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcloud.emulators.entra.people import PEOPLE


COMMAND = [sys.executable, "-m", "devcloud.emulators.entra"]
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    arguments = ["entra", "--port", "0", "--data", str(tmp_path_factory.mktemp("entra"))]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT) as started:
        yield started
        started.kill()


@pytest.fixture(scope="module")
def ready(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, cwd=ROOT, check=False)


def url_of(ready: str) -> str:
    return ready.removeprefix("entra ready on ").strip()


def test_it_says_when_it_is_ready(ready: str):
    assert ready.startswith("entra ready on http://127.0.0.1:")


@pytest.mark.parametrize("person", ["ada", "gus", "bob@fabrikam.example"])
def test_the_token_command_prints_a_token_and_nothing_else(ready: str, person: str):
    done = run("token", person, "--authority", url_of(ready))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(".") == 2
    assert len(done.stdout.split()) == 1


def test_an_unknown_person_is_answered_with_the_known_ones():
    done = run("token", "zed")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert all(person.short in done.stderr for person in PEOPLE)


def test_a_wrong_scope_is_one_line(ready: str):
    done = run("token", "ada", "--authority", url_of(ready), "--scope", "api://nothing/x")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("token: AADSTS70011")


def test_a_stand_in_that_does_not_run_is_one_line():
    done = run("token", "ada", "--authority", "http://127.0.0.1:1")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("token: no stand-in answers on http://127.0.0.1:1")


def test_a_taken_port_is_one_line(ready: str, tmp_path: Path):
    done = run("entra", "--port", url_of(ready).rpartition(":")[2], "--data", str(tmp_path))

    assert (done.returncode, done.stdout) == (1, "")
    assert "is taken" in done.stderr


def test_it_stops_when_told_to(process: subprocess.Popen[str], ready: str):
    assert ready
    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=5) == 0
