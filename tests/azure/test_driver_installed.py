"""How the tests come by unixODBC where it is missing: by a package manager of the test's own."""

import os

import pytest

from tests.support import odbc


APT = """#!/bin/sh
echo "$*" >> {folder}/asked
case "$*" in
  *update*) touch {folder}/lists ;;
  *) [ -e {folder}/lists ] || {{ echo "E: Unable to locate package unixodbc" >&2; exit 100; }}
     {works} ;;
esac
"""


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine without unixODBC, and an apt-get without package lists; yields its commands."""

    def make(*, works: bool = True):
        (tmp_path / "pyodbc.py").write_text("raise ImportError('libodbc.so.2: cannot open shared object file')")
        apt = tmp_path / "apt-get"
        apt.write_text(APT.format(folder=tmp_path, works=f"rm {tmp_path}/pyodbc.py" if works else "true"))
        apt.chmod(0o755)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(os, "getuid", lambda: 0)
        return lambda: [
            line.split("300 ")[-1].split()[0] for line in (tmp_path / "asked").read_text().splitlines() if line
        ]

    return make


@pytest.mark.usefixtures("scripted_server")
def test_an_installed_package_is_not_installed_again(monkeypatch):
    monkeypatch.setattr(odbc, "_run", lambda _: pytest.fail("it was asked to install"))

    odbc._install()


def test_missing_lists_are_fetched_and_then_it_is_installed(bare):
    asked = bare()
    odbc._install()

    assert asked() == ["install", "update", "install"]


def test_an_installation_that_does_not_help_says_so(bare):
    bare(works=False)

    with pytest.raises(odbc.NoDriver, match=r"libodbc\.so\.2.*sudo apt install unixodbc"):
        odbc._install()


def test_without_the_right_to_install_the_error_has_the_command(bare, monkeypatch):
    bare()
    monkeypatch.setattr(os, "getuid", lambda: 1000)

    with pytest.raises(odbc.NoDriver, match=r"sudo apt install unixodbc.*brew install unixodbc"):
        odbc._install()


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_ci_fails_where_another_machine_skips(bare, monkeypatch, tmp_path, ci, outcome):
    bare()
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(os, "getuid", lambda: 1000)

    with pytest.raises(outcome, match="libodbc"), odbc.required(tmp_path, tmp_path):
        pass
