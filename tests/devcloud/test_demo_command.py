"""The command that loads the demo tenants."""

from tests.devcloud import processes


def test_the_command_has_no_options_that_do_nothing():
    done = processes.in_this_process("demo", "--host", "http://127.0.0.1:7071")

    assert done.code == 2
    assert "No such option: --host" in done.err
