"""Finds a person in text by what identifies them, and puts a pseudonym there; pure."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final


_SHORTEST: Final = 2  # a name of one letter is in every word


@dataclass(frozen=True)
class Words:
    """What a person is called: addresses, names, ids; and what stands for them from now on."""

    identifiers: tuple[str, ...]
    pseudonym: str

    @classmethod
    def of(cls, identifiers: Iterable[str | None], pseudonym: str) -> "Words":
        found = {text.strip() for text in identifiers if text and len(text.strip()) >= _SHORTEST}
        return cls(tuple(sorted(found, key=lambda text: (-len(text), text))), pseudonym)

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        """Whole words, in any case, also as JSON writes them inside a text."""
        spelled = {form for text in self.identifiers for form in (text, _json(text), _json(text, ascii_only=True))}
        alternatives = "|".join(re.escape(form) for form in sorted(spelled, key=len, reverse=True))
        return re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE)

    def without(self, value: Any) -> Any:  # noqa: ANN401 - a text, or JSON with texts in it
        """The value with the pseudonym wherever the person is named."""
        match value:
            case str():
                return self._expression.sub(self.pseudonym, value) if self.identifiers else value
            case dict():
                return {name: self.without(each) for name, each in value.items()}
            case list():
                return [self.without(each) for each in value]
            case _:
                return value

    def likely(self) -> list[str]:
        """LIKE patterns, in lower case, that find at least every text with the person in it, however it is escaped."""
        return [f"%{re.sub(r'[^A-Za-z0-9]+', '%', text).lower()}%" for text in self.identifiers]


def _json(text: str, *, ascii_only: bool = False) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]
