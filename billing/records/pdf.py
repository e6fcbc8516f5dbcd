"""PDF documents on A4: masthead, facts, figures, tables over several pages, and a footer with page numbers.

The font is DejaVu Sans Condensed: Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew and Arabic letters (not joined).
Any other character, such as Chinese or Hindi, is replaced by its compatibility form or a white square, so no name makes
a document fail; the e-mail address beside it identifies the person. A screen reader reads the original text in page
order: all text is tagged; lines, backgrounds and footers are artifacts.
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

from billing.records.pdf_tags import Element, StructureTree


_FONTS: Final = Path(__file__).parent / "fonts"
_FONT: Final = "DejaVu"
_PRODUCT: Final = "TimeTracker for Azure DevOps"
_MARGIN: Final = 18.0  # all lengths in millimeters
_WIDTH: Final = 210 - 2 * _MARGIN
_BOTTOM_MARGIN: Final = 24.0
_LINE_HEIGHT: Final = 4.4
_PADDING: Final = 1.1
_GAP: Final = 2.5
_LABEL_WIDTH: Final = 32.0
_TEXT_COLOR: Final = (28, 32, 38)
_MUTED_COLOR: Final = (92, 100, 110)
_ACCENT_COLOR: Final = (0, 84, 140)
_LINE_COLOR: Final = (208, 213, 219)
_BACKGROUND: Final = (245, 247, 249)
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


class PdfDocument(FPDF):
    """One document. The same content and creation date make the same bytes."""

    def __init__(self, title: str, *, subject: str, author: str, created_at: dt.datetime) -> None:
        super().__init__(format="A4")
        for style, name in (("", "DejaVuSansCondensed.ttf"), ("B", "DejaVuSansCondensed-Bold.ttf")):
            self.add_font(_FONT, style, _FONTS / name)
        letters = [frozenset(font.cmap) for font in self.fonts.values() if isinstance(font, TTFFont)]
        self._letters = frozenset.intersection(*letters)
        self._tree = StructureTree()
        self.struct_builder = self._tree
        self._footer_text = self._to_printable(title)
        self.set_title(self._footer_text)
        self.set_subject(subject)
        self.set_author(author)
        self.set_lang("en")
        self.set_creator(_PRODUCT)
        self.set_creation_date(created_at)
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)
        self._set_min_pdf_version("1.7")  # for the tags
        self.c_margin = 0
        self.set_margins(_MARGIN, _MARGIN, _MARGIN)
        self.set_auto_page_break(auto=True, margin=_BOTTOM_MARGIN)
        self.add_page()

    def footer(self) -> None:
        with self._artifact():
            self.set_y(-_BOTTOM_MARGIN + 9)
            self.set_draw_color(*_LINE_COLOR)
            self.line(_MARGIN, self.get_y() - 2, _MARGIN + _WIDTH, self.get_y() - 2)
            self._set_style(7.5, _MUTED_COLOR)
            self.cell(_WIDTH - 22, _LINE_HEIGHT, self._shorten(self._footer_text, _WIDTH - 22))
            self.set_x(_MARGIN + _WIDTH - 20)
            self.cell(20, _LINE_HEIGHT, f"Page {self.page_no()} of {{nb}}", align="R")

    def add_masthead(self, title: str, subtitle: str) -> None:
        top = self.get_y()
        self._set_style(8.5, _MUTED_COLOR)
        self._print_line(self._element("P"), _Box(_MARGIN, top, _WIDTH, 5), _PRODUCT)
        heading = self._element("H1")
        self._set_style(21, _TEXT_COLOR, "B")
        self._print_line(heading, _Box(_MARGIN, top + 5, _WIDTH * 0.6, 11), title)
        self._set_style(14, _ACCENT_COLOR)
        self._print_line(heading, _Box(_MARGIN + _WIDTH * 0.6, top + 5, _WIDTH * 0.4, 11), subtitle, align="R")
        self.set_xy(_MARGIN, top + 16)
        self.add_rule()

    def add_parties(self, parties: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Issuer and customer side by side: a label, a name, and further lines."""
        top, width = self.get_y(), _WIDTH / len(parties)
        items, ends = self._element("L"), [top]
        for number, (label, lines) in enumerate(parties):
            left, at = _MARGIN + number * width, top + 5.0
            item = self._element("LI", items)
            self._set_style(8.5, _MUTED_COLOR)
            self._print_line(self._element("Lbl", item), _Box(left, top, width, 5), label)
            body = self._element("LBody", item)
            for index, text in enumerate(lines):
                self._set_style(10 if index == 0 else 9, _TEXT_COLOR, "B" if index == 0 else "")
                part = self._element("P", body, actual_text=self._actual_text(text))
                for line in self._wrap(self._to_printable(text), width):
                    self._print_line(part, _Box(left, at, width, 5), line)
                    at += 5
            ends.append(at)
        self.set_xy(_MARGIN, max(ends))
        self.add_rule()

    def add_rule(self, *, above: float = 0.0) -> None:
        """A horizontal line; a new page instead, if the following `above` millimeters would not fit."""
        if self.will_page_break(above):
            self.add_page()
            return
        with self._artifact():
            self.ln(2.5)
            self.set_draw_color(*_ACCENT_COLOR)
            self.set_line_width(0.4)
            self.line(_MARGIN, self.get_y(), _MARGIN + _WIDTH, self.get_y())
            self.set_line_width(0.2)
            self.ln(4)

    def add_facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Names and values below each other, on one page with the following figures."""
        rows = list(facts)
        if self.will_page_break(len(rows) * 5 + 25):
            self.add_page()
        items = self._element("L")
        for name, value in rows:
            item = self._element("LI", items)
            label, body = self._element("Lbl", item), self._element("LBody", item, actual_text=self._actual_text(value))
            self._set_style(9.5, _TEXT_COLOR)
            for number, line in enumerate(self._wrap(self._to_printable(value), _WIDTH - _LABEL_WIDTH)):
                self._make_room(5)
                top = self.get_y()
                if number == 0:
                    self._set_style(8.5, _MUTED_COLOR)
                    self._print_line(label, _Box(_MARGIN, top, _LABEL_WIDTH, 5), name)
                    self._set_style(9.5, _TEXT_COLOR)
                self._print_line(body, _Box(_MARGIN + _LABEL_WIDTH, top, _WIDTH - _LABEL_WIDTH, 5), line)
                self.set_xy(_MARGIN, top + 5)
        self.ln(3)

    def add_figures(self, figures: Sequence[tuple[str, str]]) -> None:
        """The main numbers, side by side."""
        self._make_room(22)
        top, width = self.get_y(), _WIDTH / len(figures)
        with self._artifact():
            self.set_fill_color(*_BACKGROUND)
            self.rect(_MARGIN, top, _WIDTH, 17, style="F")
        items = self._element("L")
        for number, (name, value) in enumerate(figures):
            left, item = _MARGIN + number * width + 4, self._element("LI", items)
            self._set_style(8, _MUTED_COLOR)
            self._print_line(self._element("Lbl", item), _Box(left, top + 2.5, width - 6, 4), name)
            self._set_style(14, _ACCENT_COLOR if number == len(figures) - 1 else _TEXT_COLOR, "B")
            self._print_line(self._element("LBody", item), _Box(left, top + 7.5, width - 6, 7), value)
        self.set_xy(_MARGIN, top + 22)

    def add_table(self, heading: str, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
        """Rows under a header, which each page repeats; the text of wide cells is wrapped."""
        self._add_heading(heading, above=5 * _LINE_HEIGHT)
        table = self._element("Table")
        self._add_header(columns, self._element("TR", self._element("THead", table)))
        body = self._element("TBody", table)
        for row in rows:
            self._set_style(8.5, _TEXT_COLOR)
            cells = [self._wrap(self._to_printable(text), each.width) for text, each in zip(row, columns, strict=True)]
            height = max(map(len, cells)) * _LINE_HEIGHT + 2 * _PADDING
            if self.will_page_break(height):
                self.add_page()
                self._add_header(columns, None)
                self._set_style(8.5, _TEXT_COLOR)
            self._add_row(self._element("TR", body), columns, row, cells)
        self.ln(5)

    def add_note(self, heading: str, text: str) -> None:
        """A paragraph with an optional heading."""
        self._set_style(8.5, _MUTED_COLOR)
        lines = self._wrap(self._to_printable(text), _WIDTH)
        if heading:
            self._add_heading(heading, above=(min(len(lines), 4) + 1) * _LINE_HEIGHT)
            self._set_style(8.5, _MUTED_COLOR)
        elif self.will_page_break(min(len(lines), 4) * _LINE_HEIGHT):
            self.add_page()
        paragraph = self._element("P", actual_text=self._actual_text(text))
        for line in lines:
            self._make_room(_LINE_HEIGHT)
            top = self.get_y()
            self._print_line(paragraph, _Box(_MARGIN, top, _WIDTH, _LINE_HEIGHT), line)
            self.set_xy(_MARGIN, top + _LINE_HEIGHT)
        self.ln(2.5)

    def to_bytes(self) -> bytes:
        return bytes(self.output())

    def _add_heading(self, text: str, *, above: float) -> None:
        """On the page of the following `above` millimeters."""
        self._make_room(5.5 + above)
        top = self.get_y()
        self._set_style(9, _TEXT_COLOR, "B")
        self._print_line(self._element("H2"), _Box(_MARGIN, top, _WIDTH, 5.5), text)
        self.set_xy(_MARGIN, top + 5.5)

    def _add_header(self, columns: Sequence[Column], row: Element | None) -> None:
        """The names of the columns; without a row of the tree they are not read out."""
        top, left = self.get_y(), _MARGIN
        self._set_style(8, _MUTED_COLOR, "B")
        for each in columns:
            cell = None if row is None else self._element("TH", row, scope="Column")
            self._print_line(cell, _Box(left, top, each.width - _GAP, 6), each.name, align=each.align)
            left += each.width
        with self._artifact():
            self.set_draw_color(*_MUTED_COLOR)
            self.line(_MARGIN, top + 6, _MARGIN + _WIDTH, top + 6)
        self.set_xy(_MARGIN, top + 6)

    def _add_row(
        self, row: Element, columns: Sequence[Column], texts: Sequence[str], cells: Sequence[Sequence[str]]
    ) -> None:
        top, left = self.get_y(), _MARGIN
        height = max(map(len, cells)) * _LINE_HEIGHT + 2 * _PADDING
        for each, text, lines in zip(columns, texts, cells, strict=True):
            cell = self._element("TD", row, actual_text=self._actual_text(text))
            for number, line in enumerate(lines):
                at = top + _PADDING + number * _LINE_HEIGHT
                self._print_line(cell, _Box(left, at, each.width - _GAP, _LINE_HEIGHT), line, align=each.align)
            left += each.width
        with self._artifact():
            self.set_draw_color(*_LINE_COLOR)
            self.line(_MARGIN, top + height, _MARGIN + _WIDTH, top + height)
        self.set_xy(_MARGIN, top + height)

    def _print_line(self, element: Element | None, box: _Box, text: str, *, align: str = "L") -> None:
        """Prints a line of an element's text; without an element it is not read out."""
        if not text:
            return
        self.set_xy(box.x, box.y)
        with self._artifact() if element is None else self._marked_content(element):
            self.cell(box.width, box.height, text, align=align)

    def _make_room(self, height: float) -> None:
        if self.will_page_break(height):
            self.add_page()

    def _element(
        self, kind: str, parent: Element | None = None, *, scope: str = "", actual_text: str | None = None
    ) -> Element:
        return self._tree.add_element(kind, parent or self._tree.document, scope=scope, actual_text=actual_text)

    @contextmanager
    def _marked_content(self, element: Element) -> Iterator[None]:
        number = self._tree.mark(element, self.pages[self.page])
        self._out(f"/{element.kind} <</MCID {number}>> BDC")
        yield
        self._out("EMC")

    @contextmanager
    def _artifact(self) -> Iterator[None]:
        self._out("/Artifact BMC")
        yield
        self._out("EMC")

    def _set_style(self, size: float, color: tuple[int, int, int], style: str = "") -> None:
        self.set_font(_FONT, style, size)
        self.set_text_color(*color)

    def _wrap(self, text: str, width: float) -> list[str]:
        """Lines that fit, broken between words, and within a word only if it is too wide."""
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

    def _shorten(self, text: str, width: float) -> str:
        while self.get_string_width(text) > width:
            text = text[:-2].rstrip("…") + "…"
        return text

    def _to_printable(self, text: str) -> str:
        """The printable text: in letters of the font and in visual order."""
        printable = "".join(self._to_letters(letter) for letter in _normalize(text))
        if any(unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT for letter in printable):
            return str(BidiParagraph(printable).get_reordered_string())
        return printable

    def _actual_text(self, text: str) -> str | None:
        """The text for screen readers, if it is printed in other letters or in another order."""
        normalized = _normalize(text)
        return None if self._to_printable(text) == normalized else normalized

    def _to_letters(self, letter: str) -> str:
        if ord(letter) in self._letters:
            return letter
        normalized = unicodedata.normalize("NFKD", letter)
        return "".join(part if ord(part) in self._letters else _MISSING for part in normalized)


def _normalize(text: str) -> str:
    """One line, without lone surrogates and without direction marks, which could disguise a name."""
    letters = []
    for letter in unicodedata.normalize("NFC", text):
        category = unicodedata.category(letter)
        if category in {"Cc", "Zs", "Zl", "Zp"}:
            letters.append(" ")
        elif category not in {"Cf", "Cs"}:
            letters.append(letter)
    return "".join(letters)
