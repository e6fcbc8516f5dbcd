"""Texts that a spreadsheet converts when it opens a CSV: formulas, numbers, dates, times and booleans.

Conversions depend on the program's language; those of Western Europe are covered. A workbook has real text cells and
needs none of this.
"""

import re
from typing import Final


FORMULA_TRIGGERS: Final = (
    "=+-@\t\r\n\0\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
_LONGEST: Final = 64  # longer text is neither a number nor a date
_OF_VALUES: Final = "0123456789 \t\n\r\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}.,:/()%'$€£¥₹+-"
_MONTHS: Final = frozenset(
    re.findall(
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
)
_WEEKDAYS: Final = frozenset(
    re.findall(
        r"\S+",
        """
    mon tue tues wed thu thur thurs fri sat sun monday tuesday wednesday thursday friday saturday sunday
    mo di mi do fr sa so montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag
    lun mar mer jeu ven sam dim lundi mardi mercredi jeudi vendredi samedi dimanche
    mié jue vie sáb dom lunes martes miércoles jueves viernes sábado domingo
    gio lunedì martedì mercoledì giovedì venerdì sabato domenica
    seg ter qua qui sex segunda-feira terça-feira quarta-feira quinta-feira sexta-feira
    ma wo vr za zo maandag dinsdag woensdag donderdag vrijdag zaterdag zondag
""",
    )
)
_BOOLEANS: Final = frozenset(
    ["true", "false", "wahr", "falsch", "vrai", "faux", "verdadero", "falso", "vero", "verdadeiro", "waar", "onwaar"]
)
_ERRORS: Final = re.compile(r"#(N/A|NV|REF!|BEZUG!|NAME\?|DIV/0!|NUM!|ZAHL!|VALUE!|WERT!|NULL!)", re.IGNORECASE)
_WITH_A_LETTER: Final = {"e", "a", "p", "am", "pm", "a.m", "p.m"}
_EXPONENT_OR_TIME: Final = re.compile(r"[\s\d.,:/+-]*\d(e[+-]?\d+|\s*[ap]\.?(m\.?)?)\s*", re.IGNORECASE)
_WORDS: Final = re.compile(r"[^\s\d.,:/]+")
_INSTANT: Final = re.compile(r"\s*\d{4}-\d\d?-\d\d?T\d\d?(:\d\d?)*([.,]\d+)?(Z|[+-][\d:]+)?\s*", re.IGNORECASE)


def is_converted(text: str) -> bool:
    """Whether a spreadsheet would convert this text."""
    if len(text) > _LONGEST:
        return False
    letters = text.strip(_OF_VALUES)
    if not letters:  # 007, 3/4, 10:30, (5), 5 %, € 5
        return any(letter.isdigit() for letter in text)
    word = letters.casefold().rstrip(".")
    if all(part in _MONTHS or part in _WEEKDAYS for part in _WORDS.findall(word)):
        return any(letter.isdigit() for letter in text)  # Mar 4, Monday, March 4, 2026; a month alone is a word
    if letters[0] in "Tt" and _INSTANT.fullmatch(text) is not None:
        return True
    if word in _WITH_A_LETTER:  # 1e5, 10 am
        return _EXPONENT_OR_TIME.fullmatch(text) is not None
    return letters.isdecimal() or word in _BOOLEANS or (letters[0] == "#" and _ERRORS.fullmatch(text) is not None)
