"""The scripts: help changes nothing and needs nothing, and wrong arguments are rejected before anything starts."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from devcloud.commands import app as devcloud_app
from tests.support.commands import ROOT
from tools.bench.__main__ import app as bench_app
from tools.chaos.__main__ import app as chaos_app
from tools.mutants import app as mutants_app


SCRIPTS = sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file())
PROGRAMS = {"bench": bench_app, "chaos": chaos_app, "mutants": mutants_app, "run": devcloud_app}
TO_PYTEST = {"test"}  # its arguments are pytest's
NEEDED = ("bash", "cat", "dirname", "env", "grep", "sed", "tr")


@pytest.fixture
def project(tmp_path):
    """The project without a virtual environment."""
    project = tmp_path / "project"
    shutil.copytree(ROOT / "scripts", project / "scripts")
    for path in ROOT.glob("requirements*.txt"):
        shutil.copy(path, project)
    return project


@pytest.fixture
def start(project, tmp_path):
    """Runs a script with only the programs that its help needs."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in NEEDED:
        (programs / name).symlink_to(str(shutil.which(name)))

    def start(name, *arguments):
        command = [programs / "bash", project / "scripts" / name, *arguments]
        environment = {"PATH": str(programs), "HOME": str(tmp_path / "home")}
        return subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
        )

    return start


def files(folder: Path) -> dict[str, float]:
    return {str(path): path.stat().st_mtime for path in folder.rglob("*")}


@pytest.mark.parametrize("arguments", [("--help",), ("tests", "--help")], ids=" ".join)
@pytest.mark.parametrize("name", SCRIPTS)
def test_help_prints_usage_and_changes_nothing(name, arguments, start, tmp_path):
    before = files(tmp_path)
    done = start(name, *arguments)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: scripts/{name}")
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", sorted({*SCRIPTS} - TO_PYTEST - {"ops"}))
def test_an_unknown_option_is_rejected_with_the_usage_before_anything_starts(name, start, tmp_path):
    before = files(tmp_path)
    done = start(name, "--nonsense")

    assert (done.returncode, done.stdout) == (2, "")
    assert "--nonsense" in done.stderr.splitlines()[0]
    assert f"usage: scripts/{name}" in done.stderr
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", ["docs", "lint", "migrate", "requirements", "sql-server"])
def test_an_unknown_word_is_rejected(name, start):
    done = start(name, "nonsense")

    assert (done.returncode, done.stdout, "usage: scripts/" in done.stderr) == (2, "", True)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_help_names_every_option_of_its_program(name, start):
    command = typer.main.get_command(PROGRAMS[name])
    command = getattr(command, "commands", {}).get(name, command)
    options = {each for param in command.params for each in (*param.opts, *param.secondary_opts) if "--" in each}

    described = set(re.findall(r"^  (--[a-z-]+)", start(name, "--help").stdout, re.MULTILINE))

    assert described == options


def helps(command, path=()):
    context = typer.Context(command, info_name=" ".join(path) or "python -m devcloud")
    yield command.get_help(context)
    for name, each in getattr(command, "commands", {}).items():
        yield from helps(each, (*path, name))


@pytest.mark.parametrize("name", PROGRAMS)
def test_flags_are_shown_as_flags(name):
    assert [text for text in helps(typer.main.get_command(PROGRAMS[name])) if "bool" in text.lower()] == []


def test_an_unknown_version_of_python_is_rejected(start):
    done = start("test", "--pass", "2.7")

    assert (done.returncode, done.stdout, "--pass takes one of: 3.11 3.13" in done.stderr) == (2, "", True)


def test_every_script_can_be_started():
    assert [name for name in SCRIPTS if not os.access(ROOT / "scripts" / name, os.X_OK)] == []
