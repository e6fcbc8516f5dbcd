"""Compares a search text with numbers and names, and ranks the matches; pure."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Self, TypeVar

from shared.text import name_key


Row = TypeVar("Row")
_KEY: Final = 1200  # UTF-16 units: case folding can triple a title
_NUMBER: Final = re.compile(r"\A#?0*([1-9][0-9]{0,9})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Search:
    """A search text, its key as names are compared, the words of the key, and its number, if it is one."""

    text: str
    key: str
    words: tuple[str, ...]
    number: int | None

    @classmethod
    def parse(cls, text: str) -> Self:
        key = name_key(text, _KEY)
        number = _NUMBER.match(key)
        return cls(text, key, tuple(key.split()), None if number is None else int(number[1]))


def rank_name(search: Search, name: str) -> int | None:
    """A lower number for a better match; None if a word of the search is not in the name.

    The best names begin with the text, then come those with words that begin with its words.
    """
    key = name_key(name, _KEY)
    if not search.words or not all(word in key for word in search.words):
        return None
    if key.startswith(search.key):
        return 0
    spaced = f" {key}"
    return 1 if all(f" {word}" in spaced for word in search.words) else 2


def rank_number(search: Search, number: int) -> int | None:
    """As `rank_name`: the number itself, then numbers that begin with it."""
    if search.number is None or not str(number).startswith(str(search.number)):
        return None
    return 0 if number == search.number else 1


def top_matches(rows: Iterable[Row], rank: Callable[[Row], int | None], *, limit: int) -> list[Row]:
    """The best matches; equally good ones in the given order."""
    ranked = [(each, row) for row in rows if (each := rank(row)) is not None]
    return [row for _, row in sorted(ranked, key=lambda pair: pair[0])[:limit]]
