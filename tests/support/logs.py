"""Listens to all that is logged while the tests run, and finds in it what may not be there."""

import logging
import re
from collections.abc import Iterable


# What the policy says is never collected: neither logged nor stored.
NEVER = {
    "a token": re.compile(r"eyJ[\w-]{10,}\.[\w-]"),
    "an IPv4 address": re.compile(r"\b(?!127\.0\.0\.1\b)\d{1,3}(?:\.\d{1,3}){3}\b"),
    "an IPv6 address": re.compile(r"\b(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}\b", re.IGNORECASE),
    "a user agent": re.compile(r"python-requests|Mozilla|HeadlessChrome", re.IGNORECASE),
}
FORBIDDEN = NEVER | {
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.\w+"),
    "a name of somebody": re.compile(r"Lovelace|Person \d+|Hopper-"),
    "a purchase token": re.compile(r"[?&]token=", re.IGNORECASE),
    "parameters of a statement": re.compile(r"\[parameters:|SQL parameters"),
}


class Listener(logging.Handler):
    """Keeps what the product logs, and what the worker library says of it."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def leaks(self) -> list[str]:
        """The lines with something in them that no log may hold."""
        return [
            f"{what}: {line[:200]}" for line in self.lines for what, found in FORBIDDEN.items() if found.search(line)
        ]


def never_stored(values: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """The columns that hold what the policy says is never collected, and what it is."""
    return {(where, what) for where, text in values for what, found in NEVER.items() if found.search(text)}
