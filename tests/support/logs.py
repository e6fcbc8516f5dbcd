"""Reads the product's log of this process and of started ones, and finds forbidden data in it."""

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support import markers


# What the policy says is never collected: neither logged nor stored. All that is logged is searched, so each expression
# begins, where it can, with a letter that is rare in a log: Python finds one much sooner than a class of letters.
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
# Servers of the test's own process that stand for somebody else's; what they log is not the product's.
_EMULATORS = ("devcloud.emulators.entra", "devcloud.emulators.marketplace", "devcloud.emulators.azure_devops")


class LogCollector(logging.Handler):
    """Keeps what is logged in this process, as a host would that sends it on."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(_EMULATORS):
            self.lines.append(record.getMessage())

    def read_new(self) -> list[str]:
        """The lines since the last time."""
        lines, self.lines = self.lines, []
        return lines


class LogFile:
    """The file that a process logs to."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0

    def read_new(self) -> list[str]:
        """The lines since the last time; none when the file is gone."""
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
    """From now on what this file is given is read as well."""
    _log_files.append(LogFile(path))
    return path


def read_followed() -> Iterator[str]:
    """The lines that started processes have logged since the last time."""
    for each in _log_files:
        yield from each.read_new()


def find_leaks(lines: Iterable[str]) -> list[str]:
    """The lines with something in them that no log may hold."""
    return [f"{what}: {line[:200]}" for line in lines for what, found in FORBIDDEN.items() if found.search(line)]


def find_forbidden(values: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """The columns that hold what the policy says is never collected, and what it is."""
    return {(where, what) for where, text in values for what, found in NEVER.items() if found.search(text)}
