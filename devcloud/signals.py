"""Orderly ends by signals, for commands with child processes."""

import signal


def end_in_order() -> None:
    """Makes SIGTERM raise KeyboardInterrupt like Ctrl-C, also in background processes.

    Only the first SIGTERM counts: `timeout` sends two, and the second would interrupt the cleanup.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, _ignore)
    raise KeyboardInterrupt


def _ignore(_number: int, _frame: object) -> None:
    """Ignores the signal. SIG_IGN would be inherited by child processes."""
