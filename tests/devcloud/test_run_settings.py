"""The settings of the processes of `python -m devcloud run`, and the limits of `--fresh`."""

import json

import pytest

from devcloud import run
from tests.devcloud import processes


SAMPLE = {"DATABASE_URL": "sqlite:///sample.db", "ENTRA_AUTHORITY": "http://sample", "TRIAL_DAYS": "30"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with the sample only; a test may add the user's file."""
    monkeypatch.setattr(run, "PROJECT", tmp_path)
    (tmp_path / "local.settings.sample.json").write_text(json.dumps({"Values": SAMPLE}))
    return tmp_path


def options_of(project, *, fresh=False):
    return run.Options(port=7171, data=project / "data", fresh=fresh, timers=False, demo=False)


def own(project, **values):
    (project / "local.settings.json").write_text(json.dumps({"Values": values}))


def test_the_users_own_file_names_the_database(project):
    own(project, DATABASE_URL="sqlite:///own.db", TRIAL_DAYS="7")

    environment = run.build_environment(options_of(project), {})

    assert (environment["DATABASE_URL"], environment["TRIAL_DAYS"]) == ("sqlite:///own.db", "7")


def test_a_variable_wins_over_the_users_own_file(project):
    own(project, DATABASE_URL="sqlite:///own.db")

    environment = run.build_environment(options_of(project), {"DATABASE_URL": "sqlite:///variable.db"})

    assert environment["DATABASE_URL"] == "sqlite:///variable.db"


def test_the_data_directory_wins_over_the_sample(project):
    environment = run.build_environment(options_of(project), {})

    assert environment["DATABASE_URL"] == f"sqlite:///{project}/data/timetracker.db"
    assert environment["TRIAL_DAYS"] == "30"


def test_the_emulators_are_used_despite_other_settings(project):
    own(project, ENTRA_AUTHORITY="http://own", ENTRA_KEYS_URL="http://own/keys", AZURE_DEVOPS_URL="http://own")

    environment = run.build_environment(options_of(project), {"ENTRA_AUTHORITY": "http://variable"})

    assert environment["ENTRA_AUTHORITY"] == "http://127.0.0.1:7172"
    assert environment["ENTRA_KEYS_URL"] == "http://127.0.0.1:7172/common/discovery/v2.0/keys"
    assert environment["AZURE_DEVOPS_URL"] == "http://127.0.0.1:7174"


@pytest.mark.parametrize("url", ["postgresql://ann:secret@127.0.0.1/time", "sqlite:///elsewhere.db", "sqlite://"])
def test_fresh_refuses_a_database_that_is_not_the_data_directorys(tmp_path, url):
    port = processes.free_ports()

    given = ("--port", str(port), "--data", str(tmp_path / "data"))
    done = processes.in_this_process("run", "--fresh", *given, DATABASE_URL=url)

    assert done.err.splitlines() == [
        "--fresh empties only the database under --data; DATABASE_URL names another: unset it, or leave --fresh out"
    ]
    assert done.code == 2
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("url", ["sqlite:///data/timetracker.db", "sqlite:///{project}/data/timetracker.db"])
def test_fresh_takes_the_data_directorys_database_by_any_name(project, url):
    options = options_of(project, fresh=True)
    own(project, DATABASE_URL=url.format(project=project))

    run.check_fresh(options, run.build_environment(options, {}))  # it does not raise
    assert not run.names_own_database("sqlite:///data/other.db", options)


@pytest.mark.parametrize("fresh", [True, False])
def test_only_a_fresh_run_empties_the_database_and_nothing_else(project, fresh):
    options = options_of(project, fresh=fresh)
    files = ["timetracker.db", "timetracker.db-wal", "month.xlsx"]
    options.data.mkdir()
    for name in files:
        (options.data / name).write_text("data")

    run.prepare_data(options)

    assert sorted(path.name for path in options.data.iterdir()) == (["month.xlsx"] if fresh else sorted(files))
