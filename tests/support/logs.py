"""Listens to all that is logged while the tests run, and finds in it what may not be there."""

import logging
import re


FORBIDDEN = {
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.\w+"),
    "a token": re.compile(r"eyJ[\w-]{10,}"),
    "an IPv4 address": re.compile(r"\b(?!127\.0\.0\.1\b)\d{1,3}(?:\.\d{1,3}){3}\b"),
    "a user agent": re.compile(r"python-requests|Mozilla", re.IGNORECASE),
    "a name of somebody": re.compile(r"Lovelace|Person \d+"),
}


class Listener(logging.Handler):
    """Keeps what the product logs, and what the worker library says of it."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def leaks(self) -> list[str]:
        return [
            f"{what}: {line[:200]}" for line in self.lines for what, found in FORBIDDEN.items() if found.search(line)
        ]
