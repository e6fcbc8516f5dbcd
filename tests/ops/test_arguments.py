"""Addresses on standard input: arguments stay in the shell's history and the list of processes."""

import io

import pytest

from ops.arguments import read_person
from ops.errors import WrongUsage
from tests.support.commands import NOWHERE, Ops, Terminal


@pytest.fixture
def type_text(monkeypatch):
    """Puts a text on standard input."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


@pytest.mark.parametrize("line", ["ben@contoso.example\n", " ben@contoso.example \r\n", "ben@contoso.example"])
def test_an_address_is_one_line_of_standard_input(type_text, line):
    type_text(line)

    assert read_person("-") == "ben@contoso.example"


def test_an_argument_is_used_unchanged(type_text):
    type_text("somebody.else@contoso.example\n")

    assert read_person("ben@contoso.example") == "ben@contoso.example"


@pytest.mark.parametrize("text", ["", "\n", "  \n"])
def test_empty_standard_input_is_rejected(type_text, text):
    type_text(text)
    with pytest.raises(WrongUsage, match="standard input"):
        read_person("-")


@pytest.mark.parametrize(
    "arguments",
    [
        ("erase", "{tid}", "--user", "-", "--yes"),
        ("nominee", "{tid}", "-", "--yes"),
        ("export", "{tid}", "--user", "-", "--out", "{folder}/a.zip"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_with_a_person_reads_standard_input(ops, world, admin, arguments, tmp_path):
    ben = world.member(admin)
    command = ["privacy", *(each.format(tid=ben.tid, folder=tmp_path) for each in arguments)]
    found, refused = (
        ops(*command, stdin=io.StringIO(f"{address}\n")) for address in (ben.email, "nobody@contoso.example")
    )

    assert (found.code, refused.code) == (3 if arguments[0] == "nominee" else 0, 3)  # he has no nominee
    assert ben.email not in found.err + found.out


def test_on_a_terminal_the_address_is_asked_for(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", Terminal("ben@contoso.example"))

    assert read_person("-") == "ben@contoso.example"
    assert "Id or e-mail address" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["hand-over", "confirm-role"])
def test_the_help_mentions_standard_input_for_a_person(command):
    text = Ops(NOWHERE)("users", command, "--help").out

    assert "standard input" in " ".join(text.split())
