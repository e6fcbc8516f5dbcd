"""A4 pages: a masthead, facts, figures, tables that go on over pages under their header, and a footer with numbers.

Text is set in DejaVu Sans Condensed, which has Latin, Greek, Cyrillic, Armenian and Georgian letters, Hebrew and Arabic
(not joined). A character that it lacks, as of Chinese or Hindi, is replaced by its plain form if it has one, else by a
white square: no name makes a page fail, and the e-mail address beside it tells whose it is.
"""

import datetime as dt
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from fpdf import FPDF
from fpdf.bidi import BidiParagraph
from fpdf.fonts import TTFFont


_FONTS: Final = Path(__file__).parent / "fonts"
_FONT: Final = "DejaVu"
_MARGIN: Final = 18.0  # millimetres, as all lengths here
_WIDTH: Final = 210 - 2 * _MARGIN
_BOTTOM: Final = 24.0
_LINE: Final = 4.4
_PADDING: Final = 1.1
_GAP: Final = 2.5
_INK: Final = (28, 32, 38)
_QUIET: Final = (104, 112, 122)
_ACCENT: Final = (0, 84, 140)
_HAIR: Final = (208, 213, 219)
_SHADE: Final = (245, 247, 249)
_MISSING: Final = "\N{WHITE SQUARE}"
_RIGHT_TO_LEFT: Final = {"R", "AL", "AN"}


class Paper(FPDF):
    """One document. The same content makes the same bytes, since its date is handed in."""

    def __init__(self, title: str, *, subject: str, made_at: dt.datetime) -> None:
        super().__init__(format="A4")
        for style, name in (("", "DejaVuSansCondensed.ttf"), ("B", "DejaVuSansCondensed-Bold.ttf")):
            self.add_font(_FONT, style, _FONTS / name)
        has = [frozenset(font.cmap) for font in self.fonts.values() if isinstance(font, TTFFont)]
        self._letters = frozenset.intersection(*has)
        self._footing = self._set(title)
        self.set_title(self._footing)
        self.set_subject(subject)
        self.set_lang("en")
        self.set_creator("TimeTracker for Azure DevOps")
        self.set_creation_date(made_at)
        self.c_margin = 0
        self.set_margins(_MARGIN, _MARGIN, _MARGIN)
        self.set_auto_page_break(auto=True, margin=_BOTTOM)
        self.add_page()

    def footer(self) -> None:
        self.set_y(-_BOTTOM + 9)
        self.set_draw_color(*_HAIR)
        self.line(_MARGIN, self.get_y() - 2, _MARGIN + _WIDTH, self.get_y() - 2)
        self._style(7.5, _QUIET)
        self.cell(_WIDTH - 22, _LINE, self._fitted(self._footing, _WIDTH - 22))
        self.set_x(_MARGIN + _WIDTH - 18)
        self.cell(18, _LINE, f"Page {self.page_no()} of {{nb}}")

    def masthead(self, title: str, subtitle: str) -> None:
        self._style(8.5, _QUIET)
        self.cell(0, 5, "TimeTracker for Azure DevOps", new_x="LMARGIN", new_y="NEXT")
        self._style(21, _INK, "B")
        self.cell(_WIDTH * 0.6, 11, title)
        self._style(14, _ACCENT)
        self.cell(0, 11, subtitle, align="R", new_x="LMARGIN", new_y="NEXT")
        self.rule()

    def rule(self) -> None:
        self.ln(2.5)
        self.set_draw_color(*_ACCENT)
        self.set_line_width(0.4)
        self.line(_MARGIN, self.get_y(), _MARGIN + _WIDTH, self.get_y())
        self.set_line_width(0.2)
        self.ln(4)

    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Names and values, one below the other, and not torn from the figures that follow."""
        listed = list(facts)
        if self.will_page_break(len(listed) * 5 + 25):
            self.add_page()
        for name, value in listed:
            self._style(8.5, _QUIET)
            self.cell(30, 5, name)
            self._style(9.5, _INK)
            self.multi_cell(_WIDTH - 30, 5, self._set(value), new_x="LMARGIN", new_y="NEXT", align="L")
        self.ln(3)

    def figures(self, figures: Sequence[tuple[str, str]]) -> None:
        """The numbers that matter, side by side."""
        if self.will_page_break(22):
            self.add_page()
        top, width = self.get_y(), _WIDTH / len(figures)
        self.set_fill_color(*_SHADE)
        self.rect(_MARGIN, top, _WIDTH, 17, style="F")
        for number, (name, value) in enumerate(figures):
            self.set_xy(_MARGIN + number * width + 4, top + 2.5)
            self._style(8, _QUIET)
            self.cell(width - 6, 4, name)
            self.set_xy(_MARGIN + number * width + 4, top + 7.5)
            self._style(14, _ACCENT if number == len(figures) - 1 else _INK, "B")
            self.cell(width - 6, 7, value)
        self.set_xy(_MARGIN, top + 22)

    def listing(self, columns: Sequence[tuple[str, float]], rows: Iterable[Sequence[str]]) -> None:
        """Rows under a header that each page repeats; a cell that is too wide goes on in the next line."""
        widths = [width for _, width in columns]
        self._header(columns)
        for row in rows:
            self._style(8.5, _INK)
            cells = [self._wrapped(self._set(text), width) for text, width in zip(row, widths, strict=True)]
            height = max(map(len, cells)) * _LINE + 2 * _PADDING
            if self.will_page_break(height):
                self.add_page()
                self._header(columns)
                self._style(8.5, _INK)
            self._row(cells, widths, height)
        self.ln(5)

    def note(self, heading: str, text: str) -> None:
        lines = len(self._wrapped(self._set(text), _WIDTH)) + bool(heading)
        if self.will_page_break((lines + 1) * _LINE):
            self.add_page()
        if heading:
            self._style(9, _INK, "B")
            self.cell(0, 5.5, heading, new_x="LMARGIN", new_y="NEXT")
        self._style(8.5, _QUIET)
        self.multi_cell(_WIDTH, _LINE, self._set(text), align="L", new_x="LMARGIN", new_y="NEXT")
        self.ln(2.5)

    def to_bytes(self) -> bytes:
        return bytes(self.output())

    def _header(self, columns: Sequence[tuple[str, float]]) -> None:
        if self.will_page_break(3 * _LINE):
            self.add_page()
        self._style(8, _QUIET, "B")
        for name, width in columns:
            self.cell(width, 6, name)
        self.ln(6)
        self.set_draw_color(*_QUIET)
        self.line(_MARGIN, self.get_y(), _MARGIN + _WIDTH, self.get_y())

    def _row(self, cells: Sequence[Sequence[str]], widths: Sequence[float], height: float) -> None:
        top, left = self.get_y(), _MARGIN
        for lines, width in zip(cells, widths, strict=True):
            for number, line in enumerate(lines):
                self.set_xy(left, top + _PADDING + number * _LINE)
                self.cell(width, _LINE, line)
            left += width
        self.set_draw_color(*_HAIR)
        self.line(_MARGIN, top + height, _MARGIN + _WIDTH, top + height)
        self.set_xy(_MARGIN, top + height)

    def _style(self, size: float, colour: tuple[int, int, int], style: str = "") -> None:
        self.set_font(_FONT, style, size)
        self.set_text_color(*colour)

    def _wrapped(self, text: str, width: float) -> list[str]:
        """Lines that fit, broken between words, and inside a word only where it alone is too wide."""
        lines, line = [], ""
        for word in text.split(" "):
            rest = f"{line} {word}" if line else word
            if line and not self._fits(rest, width):
                lines.append(line)
                rest = word
            while not self._fits(rest, width):
                cut = next(size for size in range(len(rest) - 1, 0, -1) if size == 1 or self._fits(rest[:size], width))
                lines.append(rest[:cut])
                rest = rest[cut:]
            line = rest
        return [*lines, line]

    def _fits(self, text: str, width: float) -> bool:
        return len(text) <= 1 or self.get_string_width(text) <= width - _GAP

    def _fitted(self, text: str, width: float) -> str:
        while self.get_string_width(text) > width:
            text = text[:-2].rstrip("…") + "…"
        return text

    def _set(self, text: str) -> str:
        """The text as it can be printed: with letters that the font has, and in the order in which they are read."""
        shown = "".join(self._letter(letter) for letter in unicodedata.normalize("NFC", text))
        if any(unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT for letter in shown):
            return str(BidiParagraph(shown).get_reordered_string())
        return shown

    def _letter(self, letter: str) -> str:
        category = unicodedata.category(letter)
        if category in {"Cc", "Zs", "Zl", "Zp"}:
            return " "
        if category in {"Cf", "Cs"}:  # marks of direction could show a name as another
            return ""
        if ord(letter) in self._letters:
            return letter
        plain = unicodedata.normalize("NFKD", letter)
        return "".join(part if ord(part) in self._letters else _MISSING for part in plain)
