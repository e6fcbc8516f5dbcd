"""How a command ends when it does not end well: two exceptions, each told in one line on stderr, and their codes."""

from typing import ClassVar, Final


REFUSED: Final = 1
UNUSABLE: Final = 2


class Ended(Exception):
    """The base; the text is the line that the operator reads."""

    code: ClassVar[int]


class Refused(Ended):
    """A rule of the product, or the operator when asked, says no; nothing was changed."""

    code = REFUSED


class Unusable(Ended):
    """What was asked for does not exist, or the database cannot be worked with."""

    code = UNUSABLE
