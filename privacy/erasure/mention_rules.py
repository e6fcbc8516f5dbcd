"""Finds and replaces mentions of a person in others' text: ids, addresses, and the directory's name. Pure.

Self-chosen names are not searched: they can be any word, and an erasure would change unrelated text of others.
"""

import itertools
import json
import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from tenants import is_same_address


_MIN_WORDS: Final = 2  # of a name, each with a letter; a single one, also with a number, can be any word
_MIN_ASCII_LETTERS: Final = 4  # for one LIKE pattern of a name; with fewer, one for each case
_LOWER: Final = {ord(letter): letter.lower() for letter in string.ascii_uppercase}  # as every database lowers it
_ELLIPSIS: Final = "…"  # shorter than any name
# Blanks, which can differ in the text, characters that JSON escapes, and wildcards of LIKE.
_NON_LETTERS: Final = re.compile(r"[\W_]+")
_ADDRESS: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")


@dataclass(frozen=True, slots=True)
class Identifiers:
    """The identifiers of an account that its person cannot choose; `name` is None without one from the directory.

    `chosen_name` is never searched. Without a `name` it may be the directory's, so it blocks an equal name of another.
    """

    ids: tuple[str, ...]
    addresses: tuple[str, ...]
    name: str | None
    chosen_name: str | None = None

    def has(self, name: str) -> bool:
        """Whether a name is the account's, or a part of its name in the directory."""
        expression = _expression(name.casefold())
        if self.name is not None:
            return expression.search(self.name.casefold()) is not None
        return self.chosen_name is not None and expression.fullmatch(self.chosen_name.strip().casefold()) is not None


@dataclass(frozen=True)
class Redaction:
    """Replaces a person's identifiers in text by a pseudonym.

    `full_name` is searched in text; `assignee` is compared with the whole assignee of a work item.
    """

    ids: tuple[str, ...]
    addresses: tuple[str, ...]
    full_name: str | None
    assignee: str | None
    pseudonym: str

    @classmethod
    def of(cls, person: Identifiers, colleagues: Iterable[Identifiers], pseudonym: str) -> "Redaction":
        """Without identifiers that a colleague shares: the text could mean either."""
        others = list(colleagues)
        taken = [address for each in others for address in each.addresses]
        name = None if person.name is None else " ".join(person.name.split())
        if name is not None and any(each.has(name) for each in others):
            name = None
        words = [] if name is None else [word for word in name.split() if any(map(str.isalpha, word))]
        own = {address.strip() for address in person.addresses if _ADDRESS.fullmatch(address.strip())}
        return cls(
            ids=person.ids,
            addresses=tuple(sorted(each for each in own if not any(is_same_address(each, one) for one in taken))),
            full_name=name if len(words) >= _MIN_WORDS else None,
            assignee=name or None,
            pseudonym=pseudonym,
        )

    @cached_property
    def _expressions(self) -> list[re.Pattern[str]]:
        names = [] if self.full_name is None else [self.full_name]
        return [*map(_address_expression, self.addresses), *map(_expression, (*self.ids, *names))]

    def redact(self, text: str, limit: int) -> str:
        """The text with the pseudonym for each mention, or with an ellipsis if that would be too long.

        The limit is in UTF-16 units, as of a column. The text around a mention is never cut.
        """
        new = self._replace(text, self.pseudonym)
        return new if len(new.encode("utf-16-le")) <= 2 * limit else self._replace(text, _ELLIPSIS)

    def _replace(self, text: str, pseudonym: str) -> str:
        for expression in self._expressions:
            text = expression.sub(pseudonym, text)
        return text

    def matches(self, text: str) -> bool:
        """Whether the text mentions the person."""
        return any(expression.search(text) for expression in self._expressions)

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """LIKE patterns for lower-case text, also in JSON, that find every mention and possibly more."""
        names = [] if self.full_name is None else _name_patterns(self.full_name)
        return tuple(dict.fromkeys((*map(_pattern, (*self.ids, *self.addresses)), *names)))


def _expression(name: str) -> re.Pattern[str]:
    """Whole words, in any case, with any blanks between them."""
    words = r"\s+".join(map(_in_any_case, name.split()))
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)


def _address_expression(address: str) -> re.Pattern[str]:
    """A whole address, compared like `is_same_address`, not a part of a longer one."""
    case = "a" if address.isascii() else "-i"
    return re.compile(rf"(?<![\w.+%-])(?{case}:{re.escape(address)})(?![\w-]|\.\w)", re.IGNORECASE)


def _in_any_case(word: str) -> str:
    """ASCII letters match only their two cases, as `patterns` does on every database: no Kelvin sign for a k."""
    runs = (("".join(run), plain) for plain, run in itertools.groupby(word, key=str.isascii))
    return "".join(f"(?a:{re.escape(run)})" if plain else re.escape(run) for run, plain in runs)


def _pattern(text: str) -> str:
    return f"%{re.sub(r'[^A-Za-z0-9]+', '%', text).lower()}%"


def _name_patterns(name: str) -> list[str]:
    """By its ASCII letters; without enough of them by each case, since not every database knows other letters' case."""
    if len(re.sub(r"[^A-Za-z0-9]+", "", name)) >= _MIN_ASCII_LETTERS:
        return [_pattern(name)]
    forms = dict.fromkeys((name, name.lower(), name.upper(), name.title()))
    in_text = [f"%{_NON_LETTERS.sub('%', form.translate(_LOWER))}%" for form in forms]
    return [*in_text, *(_pattern(json.dumps(form)) for form in forms)]
