"""Hostile values for user input: names, notes, reasons, addresses, slugs."""

from typing import Final


NAMES: Final = (
    "id",
    "2026",
    "11",
    "manual",
    "timer",
    "the",
    "user",
    "super_admin",
    "admin",
    "true",
    "null",
    "note",
    "version",
    "elapsedMs",
    "UTC",
    "Europe/Berlin",
    "contoso",
    "Website",
    "corrected",
    "00",
    '"note": "',
    '{"note": null}',
    "\\u0061\\u0062",
    "%%",
    "__",
    "%_%",
    "[a-z]",
    "' OR 1=1 --",
    "erased-0123456789ab",
    "@erased.invalid",
    "a\u200bb",
    "\u3164\u3164x",
    "\u202eevil\u202c",
    "İstanbul ß",
    "李 小龍",
    "Иван Петров",
    "\N{GRINNING FACE} \N{GRINNING FACE}",
    "the bug in the timer",
    "x" * 200,
    "ab " * 66,
)
# No text above has whole words of these names, so each match is a real mention. The second word of one name is a
# number, which counts as no word: that name never matches.
DIRECTORY_NAMES: Final = ("Grace Hopper", "the user", "id 2026", "Kim Admin")

# {} is the domain of the example. Some addresses look alike, or are equal under a rule of Unicode.
ADDRESSES: Final = (
    "kim@{}",
    "KIM@{}",
    "\N{KELVIN SIGN}im@{}",
    "kim+id@{}",
    "kim@{}\N{ZERO WIDTH SPACE}",
    "boss.strasse@{}",
    "boss.stra\N{LATIN SMALL LETTER SHARP S}e@{}",
    "admin@{}",
    "true@{}",
    "%@{}",
    "x" * 64 + "@{}",
)
SLUGS: Final = ("id", "2026", "admin", "null", "xn--a", "0", "contoso", "kim-admin", "a" * 64, "' or 1=1", "%")
ORGANIZATIONS: Final = ("id", "2026", "true", "contoso", "CONTOSO", "null")
