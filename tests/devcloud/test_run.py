"""`python -m devcloud run` refuses invalid settings before it starts a process."""

import socket

import pytest

from tests.devcloud import processes


@pytest.mark.parametrize("offset", [0, 1, 2, 3])
def test_a_taken_port_is_one_line(tmp_path, offset):
    port = processes.free_ports()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + offset))
        taken.listen()

        done = processes.in_this_process("run", "--port", str(port), "--data", str(tmp_path / "data"))

    assert done.code == 2
    assert done.out == ""
    assert done.err.splitlines() == [
        f"port {port + offset} is taken: stop the program that uses it, or choose another port with --port"
    ]
    assert not (tmp_path / "data").exists()


def test_a_wrong_setting_is_one_line_that_names_it(tmp_path):
    done = processes.in_this_process(
        "run", "--port", str(processes.free_ports()), "--data", str(tmp_path / "data"), TRIAL_DAYS="soon"
    )

    assert done.code == 2
    [line] = done.err.splitlines()
    assert line.startswith("wrong settings: TRIAL_DAYS: ")


def test_a_database_that_cannot_be_migrated_is_one_line(tmp_path):
    done = processes.devcloud(
        "run",
        "--port",
        str(processes.free_ports()),
        "--data",
        str(tmp_path / "data"),
        DATABASE_URL=f"sqlite:///{__file__}/timetracker.db",
    )

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("the database was not migrated: ")
