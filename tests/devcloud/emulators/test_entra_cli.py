import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcloud.emulators.entra.people import PEOPLE
from tests.devcloud.processes import in_this_process


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


def url_of(ready: str) -> str:
    return ready.removeprefix("entra ready on ").strip()


def test_it_says_when_it_is_ready(ready: str):
    assert ready.startswith("entra ready on http://127.0.0.1:")


@pytest.mark.parametrize("person", ["ada", "gus", "bob@fabrikam.example"])
def test_the_token_command_prints_a_token_and_nothing_else(ready: str, person: str):
    done = in_this_process("token", person, "--authority", url_of(ready))

    assert (done.code, done.err) == (0, "")
    assert done.out.count(".") == 2
    assert len(done.out.split()) == 1


def test_an_unknown_person_is_answered_with_the_known_ones():
    done = in_this_process("token", "zed")

    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert all(person.short in done.err for person in PEOPLE)


def test_a_wrong_scope_is_one_line(ready: str):
    done = in_this_process("token", "ada", "--authority", url_of(ready), "--scope", "api://nothing/x")

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("token: AADSTS70011")


def test_a_missing_emulator_is_one_line():
    done = in_this_process("token", "ada", "--authority", "http://127.0.0.1:1")

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("token: no emulator answers on http://127.0.0.1:1")


def test_a_taken_port_is_one_line(ready: str, tmp_path: Path):
    taken = [*COMMAND, "entra", "--port", url_of(ready).rpartition(":")[2], "--data", str(tmp_path)]
    done = subprocess.run(taken, capture_output=True, text=True, cwd=ROOT, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert "is taken" in done.stderr


def test_it_stops_on_a_signal(process: subprocess.Popen[str], ready: str):
    assert ready
    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=5) == 0
