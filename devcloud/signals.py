"""How a command of ours that has started other processes ends: in order, by whichever signal."""

import signal


def end_in_order() -> None:
    """Makes SIGTERM a Ctrl-C, which unwinds what was begun; both hold in the background, too.

    Of several SIGTERMs the first counts: `timeout` sends two, and the second would cut the end short.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _ended)


def _ended(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, _ending)
    raise KeyboardInterrupt


def _ending(_number: int, _frame: object) -> None:
    """No SIG_IGN, which the processes that are started to end others would inherit."""
