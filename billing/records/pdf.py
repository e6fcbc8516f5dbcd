"""A4 pages: a masthead, facts, figures, tables that go on over pages under their header, and a footer with numbers.

Text is set in DejaVu Sans Condensed, which has Latin, Greek, Cyrillic, Armenian and Georgian letters, Hebrew and Arabic
(not joined). A character that it lacks, as of Chinese or Hindi, is replaced by its plain form if it has one, else by a
white square: no name makes a page fail, and the e-mail address beside it tells whose it is. A screen reader gets the
text itself, in the order of the pages: everything is tagged, and lines, shades and footers are artifacts.
"""

import datetime as dt
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from fpdf import FPDF
from fpdf.bidi import BidiParagraph
from fpdf.fonts import TTFFont
from fpdf.prefs import ViewerPreferences

from billing.records.pdf_tags import Element, Tags


_FONTS: Final = Path(__file__).parent / "fonts"
_FONT: Final = "DejaVu"
_PRODUCT: Final = "TimeTracker for Azure DevOps"
_MARGIN: Final = 18.0  # millimetres, as all lengths here
_WIDTH: Final = 210 - 2 * _MARGIN
_BOTTOM: Final = 24.0
_LINE: Final = 4.4
_PADDING: Final = 1.1
_GAP: Final = 2.5
_LABEL: Final = 32.0
_INK: Final = (28, 32, 38)
_QUIET: Final = (92, 100, 110)
_ACCENT: Final = (0, 84, 140)
_HAIR: Final = (208, 213, 219)
_SHADE: Final = (245, 247, 249)
_MISSING: Final = "\N{WHITE SQUARE}"
_RIGHT_TO_LEFT: Final = {"R", "AL", "AN"}


class Column(NamedTuple):
    name: str
    width: float
    align: str = "L"


class _Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float


class Paper(FPDF):
    """One document. The same content makes the same bytes, since its date is handed in."""

    def __init__(self, title: str, *, subject: str, author: str, made_at: dt.datetime) -> None:
        super().__init__(format="A4")
        for style, name in (("", "DejaVuSansCondensed.ttf"), ("B", "DejaVuSansCondensed-Bold.ttf")):
            self.add_font(_FONT, style, _FONTS / name)
        has = [frozenset(font.cmap) for font in self.fonts.values() if isinstance(font, TTFFont)]
        self._letters = frozenset.intersection(*has)
        self._tags = Tags()
        self.struct_builder = self._tags
        self._footing = self._printed(title)
        self.set_title(self._footing)
        self.set_subject(subject)
        self.set_author(author)
        self.set_lang("en")
        self.set_creator(_PRODUCT)
        self.set_creation_date(made_at)
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)
        self._set_min_pdf_version("1.7")  # that of the tags
        self.c_margin = 0
        self.set_margins(_MARGIN, _MARGIN, _MARGIN)
        self.set_auto_page_break(auto=True, margin=_BOTTOM)
        self.add_page()

    def footer(self) -> None:
        with self._artifact():
            self.set_y(-_BOTTOM + 9)
            self.set_draw_color(*_HAIR)
            self.line(_MARGIN, self.get_y() - 2, _MARGIN + _WIDTH, self.get_y() - 2)
            self._style(7.5, _QUIET)
            self.cell(_WIDTH - 22, _LINE, self._fitted(self._footing, _WIDTH - 22))
            self.set_x(_MARGIN + _WIDTH - 20)
            self.cell(20, _LINE, f"Page {self.page_no()} of {{nb}}", align="R")

    def masthead(self, title: str, subtitle: str) -> None:
        top = self.get_y()
        self._style(8.5, _QUIET)
        self._put(self._element("P"), _Box(_MARGIN, top, _WIDTH, 5), _PRODUCT)
        heading = self._element("H1")
        self._style(21, _INK, "B")
        self._put(heading, _Box(_MARGIN, top + 5, _WIDTH * 0.6, 11), title)
        self._style(14, _ACCENT)
        self._put(heading, _Box(_MARGIN + _WIDTH * 0.6, top + 5, _WIDTH * 0.4, 11), subtitle, align="R")
        self.set_xy(_MARGIN, top + 16)
        self.rule()

    def parties(self, parties: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Who it is from and whom it is for, side by side: a word, a name, and lines about it."""
        top, width = self.get_y(), _WIDTH / len(parties)
        listed, ends = self._element("L"), [top]
        for number, (word, lines) in enumerate(parties):
            left, at = _MARGIN + number * width, top + 5.0
            item = self._element("LI", listed)
            self._style(8.5, _QUIET)
            self._put(self._element("Lbl", item), _Box(left, top, width, 5), word)
            body = self._element("LBody", item)
            for place, text in enumerate(lines):
                self._style(10 if place == 0 else 9, _INK, "B" if place == 0 else "")
                part = self._element("P", body, said=self._said(text))
                for line in self._wrapped(self._printed(text), width):
                    self._put(part, _Box(left, at, width, 5), line)
                    at += 5
            ends.append(at)
        self.set_xy(_MARGIN, max(ends))
        self.rule()

    def rule(self, *, above: float = 0.0) -> None:
        """A line across; where what follows would not fit below it, a new page instead."""
        if self.will_page_break(above):
            self.add_page()
            return
        with self._artifact():
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
        whole = self._element("L")
        for name, value in listed:
            item = self._element("LI", whole)
            label, body = self._element("Lbl", item), self._element("LBody", item, said=self._said(value))
            self._style(9.5, _INK)
            for number, line in enumerate(self._wrapped(self._printed(value), _WIDTH - _LABEL)):
                self._make_room(5)
                top = self.get_y()
                if number == 0:
                    self._style(8.5, _QUIET)
                    self._put(label, _Box(_MARGIN, top, _LABEL, 5), name)
                    self._style(9.5, _INK)
                self._put(body, _Box(_MARGIN + _LABEL, top, _WIDTH - _LABEL, 5), line)
                self.set_xy(_MARGIN, top + 5)
        self.ln(3)

    def figures(self, figures: Sequence[tuple[str, str]]) -> None:
        """The numbers that matter, side by side."""
        self._make_room(22)
        top, width = self.get_y(), _WIDTH / len(figures)
        with self._artifact():
            self.set_fill_color(*_SHADE)
            self.rect(_MARGIN, top, _WIDTH, 17, style="F")
        whole = self._element("L")
        for number, (name, value) in enumerate(figures):
            left, item = _MARGIN + number * width + 4, self._element("LI", whole)
            self._style(8, _QUIET)
            self._put(self._element("Lbl", item), _Box(left, top + 2.5, width - 6, 4), name)
            self._style(14, _ACCENT if number == len(figures) - 1 else _INK, "B")
            self._put(self._element("LBody", item), _Box(left, top + 7.5, width - 6, 7), value)
        self.set_xy(_MARGIN, top + 22)

    def listing(self, heading: str, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
        """Rows under a header that each page repeats; a cell that is too wide goes on in the next line."""
        self._heading(heading, above=5 * _LINE)
        table = self._element("Table")
        self._header(columns, self._element("TR", self._element("THead", table)))
        body = self._element("TBody", table)
        for row in rows:
            self._style(8.5, _INK)
            cells = [self._wrapped(self._printed(text), each.width) for text, each in zip(row, columns, strict=True)]
            height = max(map(len, cells)) * _LINE + 2 * _PADDING
            if self.will_page_break(height):
                self.add_page()
                self._header(columns, None)
                self._style(8.5, _INK)
            self._row(self._element("TR", body), columns, row, cells)
        self.ln(5)

    def note(self, heading: str, text: str) -> None:
        """A paragraph, under a heading unless that is empty."""
        self._style(8.5, _QUIET)
        lines = self._wrapped(self._printed(text), _WIDTH)
        if heading:
            self._heading(heading, above=(min(len(lines), 4) + 1) * _LINE)
            self._style(8.5, _QUIET)
        elif self.will_page_break(min(len(lines), 4) * _LINE):
            self.add_page()
        paragraph = self._element("P", said=self._said(text))
        for line in lines:
            self._make_room(_LINE)
            top = self.get_y()
            self._put(paragraph, _Box(_MARGIN, top, _WIDTH, _LINE), line)
            self.set_xy(_MARGIN, top + _LINE)
        self.ln(2.5)

    def to_bytes(self) -> bytes:
        return bytes(self.output())

    def _heading(self, text: str, *, above: float) -> None:
        """Not at the foot of a page: there must be room for what it stands above."""
        self._make_room(5.5 + above)
        top = self.get_y()
        self._style(9, _INK, "B")
        self._put(self._element("H2"), _Box(_MARGIN, top, _WIDTH, 5.5), text)
        self.set_xy(_MARGIN, top + 5.5)

    def _header(self, columns: Sequence[Column], row: Element | None) -> None:
        """The names of the columns; without a row of the tree it only repeats what was read out."""
        top, left = self.get_y(), _MARGIN
        self._style(8, _QUIET, "B")
        for each in columns:
            cell = None if row is None else self._element("TH", row, scope="Column")
            self._put(cell, _Box(left, top, each.width - _GAP, 6), each.name, align=each.align)
            left += each.width
        with self._artifact():
            self.set_draw_color(*_QUIET)
            self.line(_MARGIN, top + 6, _MARGIN + _WIDTH, top + 6)
        self.set_xy(_MARGIN, top + 6)

    def _row(
        self, row: Element, columns: Sequence[Column], texts: Sequence[str], cells: Sequence[Sequence[str]]
    ) -> None:
        top, left = self.get_y(), _MARGIN
        height = max(map(len, cells)) * _LINE + 2 * _PADDING
        for each, text, lines in zip(columns, texts, cells, strict=True):
            cell = self._element("TD", row, said=self._said(text))
            for number, line in enumerate(lines):
                at = top + _PADDING + number * _LINE
                self._put(cell, _Box(left, at, each.width - _GAP, _LINE), line, align=each.align)
            left += each.width
        with self._artifact():
            self.set_draw_color(*_HAIR)
            self.line(_MARGIN, top + height, _MARGIN + _WIDTH, top + height)
        self.set_xy(_MARGIN, top + height)

    def _put(self, element: Element | None, box: _Box, text: str, *, align: str = "L") -> None:
        """A line of an element's text; of no element, it is not read out."""
        if not text:
            return
        self.set_xy(box.x, box.y)
        with self._artifact() if element is None else self._marked(element):
            self.cell(box.width, box.height, text, align=align)

    def _make_room(self, height: float) -> None:
        if self.will_page_break(height):
            self.add_page()

    def _element(
        self, kind: str, parent: Element | None = None, *, scope: str = "", said: str | None = None
    ) -> Element:
        return self._tags.element(kind, parent or self._tags.document, scope=scope, said=said)

    @contextmanager
    def _marked(self, element: Element) -> Iterator[None]:
        number = self._tags.mark(element, self.pages[self.page])
        self._out(f"/{element.kind} <</MCID {number}>> BDC")
        yield
        self._out("EMC")

    @contextmanager
    def _artifact(self) -> Iterator[None]:
        self._out("/Artifact BMC")
        yield
        self._out("EMC")

    def _style(self, size: float, colour: tuple[int, int, int], style: str = "") -> None:
        self.set_font(_FONT, style, size)
        self.set_text_color(*colour)

    def _wrapped(self, text: str, width: float) -> list[str]:
        """Lines that fit, broken between words, and inside a word only where it alone is too wide."""
        lines, line = [], ""
        for word in text.split(" "):
            rest = f"{line} {word}" if line else word
            if line and not self._fits(rest, width):
                lines.append(f"{line} ")  # so that a screen reader separates the words
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

    def _printed(self, text: str) -> str:
        """The text as it can be printed: with letters that the font has, and in the order in which they are read."""
        shown = "".join(self._letter(letter) for letter in _plain(text))
        if any(unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT for letter in shown):
            return str(BidiParagraph(shown).get_reordered_string())
        return shown

    def _said(self, text: str) -> str | None:
        """The text to be read out, where it is printed in other letters or another order."""
        plain = _plain(text)
        return None if self._printed(text) == plain else plain

    def _letter(self, letter: str) -> str:
        if ord(letter) in self._letters:
            return letter
        plain = unicodedata.normalize("NFKD", letter)
        return "".join(part if ord(part) in self._letters else _MISSING for part in plain)


def _plain(text: str) -> str:
    """In one line, without marks of direction, which could show a name as another, and without lone surrogates."""
    kept = []
    for letter in unicodedata.normalize("NFC", text):
        category = unicodedata.category(letter)
        if category in {"Cc", "Zs", "Zl", "Zp"}:
            kept.append(" ")
        elif category not in {"Cf", "Cs"}:
            kept.append(letter)
    return "".join(kept)
