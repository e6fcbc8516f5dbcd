"""The errors of commands: each is one line on standard error and an exit code."""

from typing import ClassVar, Final


REJECTED: Final = 1
WRONG_USAGE: Final = 2
NOT_FOUND: Final = 3
UNAVAILABLE: Final = 4


class CommandError(Exception):
    """The base; the text is the line that the operator reads."""

    code: ClassVar[int]


class CommandRejected(CommandError):
    """A rule of the product rejected the command, or the operator cancelled it; nothing was changed."""

    code = REJECTED


class WrongUsage(CommandError):
    """An argument or a setting is wrong."""

    code = WRONG_USAGE


class ItemNotFound(CommandError):
    """The tenant, person, bill or request that an argument names does not exist."""

    code = NOT_FOUND


class ServiceUnavailable(CommandError):
    """The database, the Marketplace or the storage cannot be reached or used; the same command may work later."""

    code = UNAVAILABLE
