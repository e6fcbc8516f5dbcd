"""The exit code of the command: no violation, violation, or a run that proves nothing."""

import contextlib
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from tests.devcloud import processes
from tools.chaos.__main__ import FAILED, INTERRUPTED, VIOLATED


COMMAND = [sys.executable, "-m", "tools.chaos", "--database", "sqlite", "--seed", "20"]
SMALL = ["--workers", "2", "--tenants", "2", "--people", "3"]


def test_a_run_without_violations_succeeds_and_writes_its_page(tmp_path):
    page = tmp_path / "page.md"
    command = [*COMMAND, *SMALL, "--minutes", "60", "--operations", "400", "--write", str(page)]
    ended = subprocess.run(command, cwd=processes.ROOT, capture_output=True, text=True, timeout=280, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "; 0 violations." in page.read_text()
    assert "NOT INJECTED" in page.read_text()  # it was too short for all faults
    command_again = (
        "scripts/chaos --database sqlite --seed 20 --minutes 60 --operations 400 --workers 2 --tenants 2 --people 3"
    )
    assert command_again in page.read_text()


def delete_an_entry(database: Path) -> bool:
    """Deletes an entry from the database; False without entries."""
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(database, timeout=5, isolation_level=None)) as connection,
    ):
        found = connection.execute("SELECT id FROM time_entries WHERE source = 'timer' LIMIT 1").fetchone()
        if found is not None:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM time_entry_days WHERE entry_id = ?", found)
            connection.execute("DELETE FROM time_entries WHERE id = ?", found)
            connection.execute("COMMIT")
            return True
    return False


def test_a_violation_during_the_run_is_its_exit_code(tmp_path):
    command = [*COMMAND, *SMALL, "--minutes", "0.15", "--folder", str(tmp_path)]
    with subprocess.Popen(command, cwd=processes.ROOT, stdout=subprocess.PIPE, text=True) as process:
        deleted = False
        while not deleted and process.poll() is None:
            deleted = any(delete_an_entry(each) for each in tmp_path.rglob("timetracker.db"))
            time.sleep(0.05)
        output, _ = process.communicate(timeout=280)

    assert deleted
    assert process.returncode == VIOLATED, output
    assert " 0 violations." not in output


def test_a_run_that_cannot_start_proves_nothing():
    ended = subprocess.run(
        [*COMMAND, "--minutes", "0.05"],
        cwd=processes.ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),  # no file may have a byte
    )

    assert ended.returncode == FAILED, ended.stdout + ended.stderr
    assert ended.stdout.startswith("chaos: the database was not migrated")  # wrong options have the same exit code
    assert ended.stderr == ""


def test_a_run_without_faults_proves_nothing_and_says_so():
    command = [*COMMAND, *SMALL, "--minutes", "60", "--operations", "1"]
    ended = subprocess.run(command, cwd=processes.ROOT, capture_output=True, text=True, timeout=280, check=False)

    assert ended.returncode == FAILED, ended.stdout + ended.stderr
    assert "THIS PROVES NOTHING" in " ".join(ended.stdout.split())


def test_a_page_that_cannot_be_written_fails_before_the_run():
    command = [*COMMAND, "--minutes", "60", "--write", "/nonexistent/page.md"]
    ended = subprocess.run(command, cwd=processes.ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == FAILED
    assert ended.stdout == "chaos: /nonexistent/page.md cannot be written: No such file or directory\n"
    assert ended.stderr == ""


def test_an_interrupted_start_says_that_nothing_was_compared(tmp_path):
    command = [*COMMAND, *SMALL, "--minutes", "60", "--folder", str(tmp_path)]
    with subprocess.Popen(command, cwd=processes.ROOT, stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.rglob("keys.json")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)  # during the start, with nothing to compare yet
        output, _ = process.communicate(timeout=120)

    assert process.returncode == INTERRUPTED
    assert "nothing was compared" in output
    assert list(tmp_path.iterdir()) == []
