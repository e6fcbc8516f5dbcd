"""Addresses on standard input: an argument stays in a shell's history and shows in the list of processes."""

import io

import pytest

from ops.exits import Unusable
from ops.personal import given
from tests.support.commands import NOWHERE, Ops, Terminal


@pytest.fixture
def typed(monkeypatch):
    """Puts a text on standard input."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


@pytest.mark.parametrize("line", ["ben@contoso.example\n", " ben@contoso.example \r\n", "ben@contoso.example"])
def test_an_address_is_one_line_of_standard_input(typed, line):
    typed(line)

    assert given("-") == "ben@contoso.example"


def test_an_argument_is_taken_as_it_is(typed):
    typed("somebody.else@contoso.example\n")

    assert given("ben@contoso.example") == "ben@contoso.example"


@pytest.mark.parametrize("text", ["", "\n", "  \n"])
def test_nothing_on_standard_input_names_nobody(typed, text):
    typed(text)
    with pytest.raises(Unusable, match="standard input"):
        given("-")


@pytest.mark.parametrize(
    "arguments",
    [
        ("erase", "{tid}", "--user", "-", "--yes"),
        ("nominee", "{tid}", "-", "--yes"),
        ("export", "{tid}", "--user", "-", "--out", "{folder}/a.zip"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_that_takes_an_address_reads_it(ops, world, admin, arguments, tmp_path):
    ben = world.member(admin)
    command = ["privacy", *(each.format(tid=ben.tid, folder=tmp_path) for each in arguments)]
    found, refused = (
        ops(*command, stdin=io.StringIO(f"{address}\n")) for address in (ben.email, "nobody@contoso.example")
    )

    assert (found.code, refused.code) == (1 if arguments[0] == "nominee" else 0, 2)  # he has named nobody
    assert ben.email not in found.err + found.out


def test_on_a_terminal_it_is_asked_for(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", Terminal("ben@contoso.example"))

    assert given("-") == "ben@contoso.example"
    assert "Id or e-mail address" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["hand-over", "confirm-role"])
def test_the_help_says_that_a_person_may_be_named_on_standard_input(command):
    told = Ops(NOWHERE)("users", command, "--help").out

    assert "standard input" in " ".join(told.replace("│", " ").split())
