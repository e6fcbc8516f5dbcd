"""The command ends with what it found: nothing wrong, a broken promise, or that the run proves nothing."""

import contextlib
import resource
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from devcloud.chaos.__main__ import FAILED, VIOLATED
from devcloud.chaos.run import FOLDER
from tests.devcloud import processes


pytestmark = pytest.mark.timeout(300)
COMMAND = [sys.executable, "-m", "devcloud.chaos", "--database", "sqlite", "--seed", "20"]
SMALL = ["--workers", "2", "--tenants", "2", "--people", "3"]


def runs() -> set[Path]:
    return set(FOLDER.glob("run-*"))


def test_a_run_that_finds_nothing_ends_well_and_writes_its_page(tmp_path):
    page = tmp_path / "page.md"
    command = [*COMMAND, *SMALL, "--minutes", "60", "--operations", "150", "--write", str(page)]
    ended = subprocess.run(command, cwd=processes.ROOT, capture_output=True, text=True, timeout=280, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "; 0 violations." in page.read_text()
    again = "scripts/chaos --database sqlite --seed 20 --minutes 60 --operations 150 --workers 2 --tenants 2 --people 3"
    assert again in page.read_text()


def lose_an_entry(database: Path) -> bool:
    """As no code of ours does; False while there is none."""
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


def test_a_promise_that_somebody_breaks_during_the_run_is_its_exit_code():
    before = runs()
    command = [*COMMAND, *SMALL, "--minutes", "0.15"]
    with subprocess.Popen(command, cwd=processes.ROOT, stdout=subprocess.PIPE, text=True) as process:
        lost = False
        while not lost and process.poll() is None:
            databases = [each for run in runs() - before for each in run.rglob("timetracker.db")]
            lost = any(lose_an_entry(each) for each in databases)
            time.sleep(0.05)
        told, _ = process.communicate(timeout=280)

    assert lost
    assert process.returncode == VIOLATED, told
    assert " 0 violations." not in told


def test_a_run_that_cannot_begin_proves_nothing():
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
    assert ended.stdout.startswith("chaos: the database was not migrated")  # it ends so for wrong words, too
    assert ended.stderr == ""
