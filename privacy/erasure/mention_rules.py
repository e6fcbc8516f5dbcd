"""How the text of others names a person, by what they cannot choose: ids, addresses, and the directory's name; pure.

What somebody calls themselves is no part of it: any word would do, and an erasure would change what others have on
record.
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


_WORDS: Final = 2  # of a name, with a letter in each: one alone may be any word, also beside a number
_ASCII_LETTERS: Final = 4  # by which a name is looked for with LIKE; with fewer, by its forms in each case
_LOWER: Final = {ord(letter): letter.lower() for letter in string.ascii_uppercase}  # as every database does it
_ELLIPSIS: Final = "…"  # shorter than any name
# Blanks, which may be others in the text, what JSON escapes, and what LIKE takes for more.
_NO_LETTERS: Final = re.compile(r"[\W_]+")
_ADDRESS: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")


@dataclass(frozen=True, slots=True)
class Naming:
    """How an account is named by what its person cannot choose; `name` is None where the directory has given none.

    `chosen_name` is looked for nowhere. Without a name it may be the directory's, so it takes an equal one.
    """

    ids: tuple[str, ...]
    addresses: tuple[str, ...]
    name: str | None
    chosen_name: str | None = None

    def has(self, name: str) -> bool:
        """Whether a name is the account's, or a part of what the directory calls it."""
        expression = _expression(name.casefold())
        if self.name is not None:
            return expression.search(self.name.casefold()) is not None
        return self.chosen_name is not None and expression.fullmatch(self.chosen_name.strip().casefold()) is not None


@dataclass(frozen=True)
class Mentions:
    """What stands for a person in text, and the pseudonym that takes its place.

    `full_name` is in text, `assignee` is the whole of what Azure DevOps calls whoever has a work item.
    """

    ids: tuple[str, ...]
    addresses: tuple[str, ...]
    full_name: str | None
    assignee: str | None
    pseudonym: str

    @classmethod
    def of(cls, person: Naming, colleagues: Iterable[Naming], pseudonym: str) -> "Mentions":
        """Nothing that names a colleague too: whom the text means then cannot be told."""
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
            full_name=name if len(words) >= _WORDS else None,
            assignee=name or None,
            pseudonym=pseudonym,
        )

    @cached_property
    def _expressions(self) -> list[re.Pattern[str]]:
        names = [] if self.full_name is None else [self.full_name]
        return [*map(_address, self.addresses), *map(_expression, (*self.ids, *names))]

    def without(self, text: str, limit: int) -> str:
        """The text with the pseudonym wherever the person is named; with an ellipsis where that would be too long.

        The limit is in UTF-16 units, as of a column. What others wrote around the name is not cut.
        """
        new = self._replaced(text, self.pseudonym)
        return new if len(new.encode("utf-16-le")) <= 2 * limit else self._replaced(text, _ELLIPSIS)

    def _replaced(self, text: str, pseudonym: str) -> str:
        for expression in self._expressions:
            text = expression.sub(pseudonym, text)
        return text

    def name_in(self, text: str) -> bool:
        return any(expression.search(text) for expression in self._expressions)

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """LIKE patterns, for text in lower case, that find at least every mention; also inside JSON."""
        names = [] if self.full_name is None else _name_patterns(self.full_name)
        return tuple(dict.fromkeys((*map(_pattern, (*self.ids, *self.addresses)), *names)))


def _expression(name: str) -> re.Pattern[str]:
    """Whole words, in any case, with any blanks between them."""
    words = r"\s+".join(map(_in_any_case, name.split()))
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)


def _address(address: str) -> re.Pattern[str]:
    """A whole address, as `is_same_address` has it: not the end of a longer one, nor its beginning."""
    case = "a" if address.isascii() else "-i"
    return re.compile(rf"(?<![\w.+%-])(?{case}:{re.escape(address)})(?![\w-]|\.\w)", re.IGNORECASE)


def _in_any_case(word: str) -> str:
    """Plain letters in their own two cases alone, as `patterns` finds them everywhere: no Kelvin sign for a k."""
    runs = (("".join(run), plain) for plain, run in itertools.groupby(word, key=str.isascii))
    return "".join(f"(?a:{re.escape(run)})" if plain else re.escape(run) for run, plain in runs)


def _pattern(text: str) -> str:
    return f"%{re.sub(r'[^A-Za-z0-9]+', '%', text).lower()}%"


def _name_patterns(name: str) -> list[str]:
    """By its Latin letters; a name without them by its forms, since not every database knows other letters' case."""
    if len(re.sub(r"[^A-Za-z0-9]+", "", name)) >= _ASCII_LETTERS:
        return [_pattern(name)]
    forms = dict.fromkeys((name, name.lower(), name.upper(), name.title()))
    in_text = [f"%{_NO_LETTERS.sub('%', form.translate(_LOWER))}%" for form in forms]
    return [*in_text, *(_pattern(json.dumps(form)) for form in forms)]
