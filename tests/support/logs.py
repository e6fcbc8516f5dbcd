"""Reads the product's log of this process and of started ones, and finds forbidden data in it."""

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support import markers


# Data that the policy rules out: neither logged nor stored. Where possible, each expression begins with a letter that
# is rare in logs: Python finds a letter much faster than a class of letters.
NEVER = {
    "a token": re.compile(r"eyJ[\w-]{10,}\.[\w-]"),
    "an IPv4 address": re.compile(r"\.(?<=\d\.)(?!(?<=\b127\.)0\.0\.1\b)\d{1,3}(?:\.\d{1,3}){2}\b"),
    "an IPv6 address": re.compile(r":(?<=[0-9a-fA-F]:)(?:[0-9a-fA-F]{1,4}:){6}[0-9a-fA-F]{1,4}\b"),
    "a user agent": re.compile(rf"{re.escape(markers.AGENT)}|python-requests|Mozilla|HeadlessChrome", re.IGNORECASE),
    "a place": re.compile(rf"{re.escape(markers.PLACE)}"),
}
FORBIDDEN = NEVER | {
    "an e-mail address": re.compile(r"@(?<=[\w.+-]@)[\w-]+\.\w"),
    "a name of somebody": re.compile(r"Lovelace|Okafor|Person \d+|Hopper-"),
    "a purchase token": re.compile(r"[?&]token=", re.IGNORECASE),
    "parameters of a statement": re.compile(r"\[parameters:|SQL parameters"),
}
# Emulators in the test's process; their lines are not the product's.
_EMULATORS = ("devcloud.emulators.entra", "devcloud.emulators.marketplace", "devcloud.emulators.azure_devops")


class LogCollector(logging.Handler):
    """Collects the log lines of this process, like a host that forwards them."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(_EMULATORS):
            self.lines.append(record.getMessage())

    def read_new(self) -> list[str]:
        """The lines since the last call."""
        lines, self.lines = self.lines, []
        return lines


class LogFile:
    """The log file of a process."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0

    def read_new(self) -> list[str]:
        """The lines since the last call; none if the file is gone."""
        try:
            if self._path.stat().st_size <= self._read:  # as after nearly every test
                return []
            with self._path.open("rb") as file:
                file.seek(self._read)
                whole, _, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return []
        self._read += len(whole) + 1 if whole else 0
        return whole.decode(errors="replace").splitlines()


_log_files: list[LogFile] = []


def follow(path: Path) -> Path:
    """Adds a log file to those of `read_followed`."""
    _log_files.append(LogFile(path))
    return path


def read_followed() -> Iterator[str]:
    """The lines of all followed files since the last call."""
    for each in _log_files:
        yield from each.read_new()


def find_leaks(lines: Iterable[str]) -> list[str]:
    """The lines with forbidden data."""
    return [f"{what}: {line[:200]}" for line in lines for what, found in FORBIDDEN.items() if found.search(line)]


def find_forbidden(values: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """The columns with data that the policy rules out, each with its kind."""
    return {(where, what) for where, text in values for what, found in NEVER.items() if found.search(text)}
