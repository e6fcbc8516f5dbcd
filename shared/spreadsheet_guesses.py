"""Texts that a spreadsheet changes when it opens a CSV: formulas, and what it takes for a number, a date or a truth.

Guesses depend on the language of the program; covered are numbers, dates, times and truth values in those of Western
Europe. A workbook has real text cells and needs none of this.
"""

import re
from typing import Final


FORMULA_TRIGGERS: Final = (
    "=+-@\t\r\n\0\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
_LONGEST: Final = 64  # what is longer is no number that a spreadsheet knows, nor a date
_MONTHS: Final = re.findall(
    r"\S+",
    """
    jan feb mar apr may jun jul aug sep sept oct nov dec
    january february march april june july august september october november december
    jän mär mrz mai okt dez januar jänner februar märz juni juli oktober dezember
    janv févr avr juin juil aoû août déc janvier février mars avril juillet septembre octobre novembre décembre
    ene abr ago dic enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre diciembre
    gen mag giu lug set ott gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre
    fev out janeiro fevereiro março maio junho julho setembro outubro novembro dezembro
    mrt mei januari februari maart augustus
    maj des marts desember augusti
""",
)
_MONTH: Final = "|".join(sorted({re.escape(name) for name in _MONTHS}, key=len, reverse=True))
_GUESSED: Final = re.compile(
    rf"""
    [\s\d.,:/()%'$€£¥₹+\-]*\d[\s\d.,:/()%'$€£¥₹+\-]*(e[+\-]?\d+)?[\s%)]*   # 007, 1e5, 3/4, 10:30, (5), 5 %, € 5
    | [\s\d.,:]*\d\s*[ap]\.?m?\.?                                          # 10 am
    | (?=.*\d)(\d{{1,4}}[\s.\-/]*)?({_MONTH})\.?([\s.,\-/]*\d{{1,4}}){{0,2}}  # Mar 4, 4-Mar-26
    | true|false|wahr|falsch|vrai|faux|verdadero|falso|vero|verdadeiro|waar|onwaar|sand|falsk|sant
    | \#(n/a|nv|ref!|bezug!|name\?|div/0!|num!|zahl!|value!|wert!|null!)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def is_guessed(text: str) -> bool:
    """A spreadsheet would show something else than this text, or compute with it."""
    return len(text) <= _LONGEST and _GUESSED.fullmatch(text) is not None
