"""A missing package is reported in one line, and installed by the next `scripts/run`."""

import importlib.util

import pytest

from devcloud import missing
from tests.devcloud import processes
from tests.support.budget import slow


HIDING = """
import os, sys
sys.prefix = os.environ["PREFIX"]

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["HIDDEN"]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
"""


def hide_package(tmp_path, name):
    """The environment in which a process and its children do not find the package."""
    (tmp_path / "sitecustomize.py").write_text(HIDING)
    (tmp_path / ".installed-requirements-local.txt").write_text("all of it")
    return {"PYTHONPATH": str(tmp_path), "PREFIX": str(tmp_path), "HIDDEN": name}


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("typer", ["token", "ada"]),
        ("watchfiles", ["run"]),
        slow("pydantic", ["run"]),
        ("uvicorn", ["host", "--port", "0"]),
        slow("werkzeug", ["entra", "--port", "0"]),
        slow("requests", ["token", "ada"]),
        ("sqlalchemy", ["demo"]),
    ],
)
def test_a_missing_package_is_one_line_and_heals(tmp_path, name, command):
    if importlib.util.find_spec(name) is None:
        pytest.fail(f"{name} is no package of ours any more")

    done = processes.devcloud(*command, **hide_package(tmp_path, name))

    assert (done.stdout, done.stderr.splitlines()) == (
        "",
        [f"devcloud: {name} is missing from the virtual environment; run scripts/run again"],
    )
    assert done.returncode == missing.EXIT_CODE
    assert list(tmp_path.glob(".installed-*")) == []


@pytest.mark.parametrize("name", [slow("alembic"), "uvicorn", slow("werkzeug")])
def test_a_package_missing_in_a_child_is_reported_too(tmp_path, name):
    done = processes.devcloud(
        "run",
        *("--port", str(processes.free_ports()), "--data", str(tmp_path / "data")),
        DATABASE_URL=f"sqlite:///{tmp_path}/test.db",
        **hide_package(tmp_path, name),
    )

    [line] = (done.stdout + done.stderr).splitlines()
    assert line.endswith(f"{name} is missing from the virtual environment; run scripts/run again")
    assert done.returncode == missing.EXIT_CODE
    assert list(tmp_path.glob(".installed-*")) == []


@pytest.mark.parametrize("name", ["devcloud.demo", "shared", "timers"])
def test_a_missing_module_of_ours_is_no_fault_of_the_environment(tmp_path, name):
    done = processes.devcloud("demo", **hide_package(tmp_path, name))

    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1] == f"ModuleNotFoundError: No module named '{name}'"
    assert len(list(tmp_path.glob(".installed-*"))) == 1


def test_a_package_missing_in_the_app_is_an_error_of_the_app(tmp_path):
    app = processes.app_of(tmp_path / "app", "import nowhere\n")

    done = processes.devcloud("host", "--app", str(app), "--port", "0", **hide_package(tmp_path, "none"))

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("host: cannot index the app: ")
    assert "No module named 'nowhere'" in line
    assert len(list(tmp_path.glob(".installed-*"))) == 1


def test_every_package_of_the_project_is_known_as_ours():
    directories = {path.parent.name for path in processes.ROOT.glob("[a-z]*/*.py")}
    modules = {path.stem for path in processes.ROOT.glob("*.py")}

    assert directories | modules <= missing.OURS
