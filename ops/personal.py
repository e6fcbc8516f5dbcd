"""A person's address for a command, by standard input: as an argument it would stay in histories and process lists."""

import sys
from typing import Final

from ops.exits import Unusable
from ops.output import aside


STANDARD_INPUT: Final = "-"
HELP: Final = "a person's id or e-mail address; - reads it from standard input"


def given(name: str) -> str:
    """The argument, or the line on standard input where the argument is `-`.

    Raises:
        Unusable: there is no line.
    """
    if name != STANDARD_INPUT:
        return name
    if sys.stdin.isatty():
        aside().print("Id or e-mail address: ", end="")
    line = sys.stdin.readline().strip()
    if not line:
        raise Unusable("there was no id or address on standard input")
    return line
