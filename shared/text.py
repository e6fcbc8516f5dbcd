"""Truncation of text, and keys for comparing it."""

import unicodedata
from typing import Final


# Control characters except blanks, and Unicode's default ignorable characters. They are invisible, so names that
# differ by them alone look the same.
_INVISIBLE: Final[dict[int, str | None]] = dict.fromkeys(
    number
    for first, last in (
        (0x0000, 0x0008),
        (0x000E, 0x001B),
        (0x007F, 0x0084),
        (0x0086, 0x009F),
        (0x00AD, 0x00AD),  # soft hyphen
        (0x034F, 0x034F),
        (0x061C, 0x061C),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x200B, 0x200F),  # zero width space, joiners, marks of direction
        (0x2060, 0x2065),
        (0x206A, 0x206F),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),  # variation selectors
        (0xFEFF, 0xFEFF),
        (0xFFA0, 0xFFA0),
        (0xFFF0, 0xFFF8),
        (0x1BCA0, 0x1BCA3),
        (0x1D173, 0x1D17A),
        (0xE0000, 0xE0FFF),
    )
    for number in range(first, last + 1)
) | {0x2800: " "}  # the blank among the letters of Braille
_DIRECTION: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NOT_SHOWN: Final = _INVISIBLE | dict.fromkeys(map(ord, [*_DIRECTION, "\ufff9", "\ufffa", "\ufffb"]))


def shortened(text: str, limit: int) -> str:
    """At most `limit` UTF-16 units, Azure SQL's measure of a column, without half a character at the end."""
    return text.encode("utf-16-le")[: limit * 2].decode("utf-16-le", errors="ignore")


def key_of(text: str, limit: int) -> str:
    """A key for comparing: trimmed, in one case, and truncated, since case folding can triple a letter."""
    return shortened(text.strip().casefold(), limit)


def name_key(name: str, limit: int) -> str:
    """A key for comparing names of projects: names that look the same have one key.

    It ignores composition of letters, case, kind and number of blanks, and invisible characters. Letters of different
    scripts stay different. The key of a key is itself.
    """
    if not (name.isascii() and name.isprintable()):
        name = unicodedata.normalize("NFD", name.translate(_INVISIBLE)).casefold()
        name = unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
    return shortened(" ".join(name.casefold().split()), limit).rstrip()


def is_blank(text: str) -> bool:
    """Whether the text has only blanks and invisible characters."""
    return not (text.strip() if text.isascii() and text.isprintable() else text.translate(_NOT_SHOWN).strip())


def has_bidi_controls(text: str) -> bool:
    """Whether the text has characters that change its direction."""
    return not (text.isascii() or _DIRECTION.isdisjoint(text))
