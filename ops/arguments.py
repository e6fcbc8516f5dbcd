"""Arguments of several commands: ids, and a person, whose address standard input keeps out of histories."""

import sys
import uuid
from typing import Final

from ops.errors import WrongUsage
from ops.output import stderr_console


STANDARD_INPUT: Final = "-"
PERSON: Final = "id or e-mail address of the person; - reads it from standard input"


def parse_id(text: str, kind: str, *, see: str) -> uuid.UUID:
    """The id; `kind` names it, and `see` is the command that lists such ids.

    Raises:
        WrongUsage: the text is not an id.
    """
    try:
        return uuid.UUID(text)
    except ValueError:
        raise WrongUsage(f"{text!a} is not {kind}; see: ops {see}") from None


def read_person(name: str) -> str:
    """The argument, or the line on standard input where the argument is `-`.

    Raises:
        WrongUsage: standard input is empty.
    """
    if name != STANDARD_INPUT:
        return name
    if sys.stdin.isatty():
        stderr_console().print("Id or e-mail address: ", end="")
    line = sys.stdin.readline().strip()
    if not line:
        raise WrongUsage("there is no id or e-mail address on standard input")
    return line
