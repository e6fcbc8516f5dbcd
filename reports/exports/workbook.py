"""Writes workbooks: formats, printed pages, and typed cells."""

import contextlib
import datetime as dt
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final


MS_PER_DAY: Final = 86_400_000
_LINE_HEIGHT: Final = 15  # points
_MOST_LINES: Final = 20
_LETTERS_TO_A_DIGIT: Final = 1.1  # column widths are in digits; most letters are narrower
_EPOCH: Final = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's clock knows no zones
_LONG: Final = {
    "strings_to_numbers": False,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "constant_memory": True,  # rows are written to a file at once
}
_HEAD: Final = {"bold": True, "font_color": "#FFFFFF", "bg_color": "#1F4E79", "border": 1, "border_color": "#1F4E79"}
_SUM: Final = {"bold": True, "top": 2, "bg_color": "#DDEBF7"}
_SUBTOTAL: Final = {"bold": True, "top": 1, "bg_color": "#F2F7FC"}
_DURATION: Final = "[h]:mm:ss"
_TO_THE_MINUTE: Final = "[h]:mm"
_LOOKS: Final[dict[str, dict[str, Any]]] = {
    "text": {"valign": "top"},
    "wrapped": {"valign": "top", "text_wrap": True},
    "note": {"valign": "top", "text_wrap": True, "align": "left", "indent": 1},
    "number": {"valign": "top", "num_format": "0"},
    "id": {"valign": "top", "num_format": "0", "align": "left", "indent": 1},
    "date": {"valign": "top", "num_format": "yyyy-mm-dd", "align": "left"},
    "time": {"valign": "top", "num_format": "hh:mm:ss", "align": "right"},
    "duration": {"valign": "top", "num_format": _DURATION},
    "hours": {"valign": "top", "num_format": "#,##0.00"},
    "title": {"bold": True, "font_size": 16, "font_color": "#1F4E79"},
    "label": {"font_color": "#595959"},
    "total": {"bold": True, "num_format": _DURATION, "align": "left"},
    "total_hours": {"bold": True, "num_format": "#,##0.00", "align": "left"},
    "head": _HEAD,
    "head_indented": {**_HEAD, "indent": 1},
    "head_right": {**_HEAD, "align": "right"},
    "head_date": {**_HEAD, "align": "right", "num_format": "ddd d mmm"},
}
_SUMS: Final[dict[str, dict[str, Any]]] = {
    "": {},
    "_duration": {"num_format": _DURATION},
    "_hours": {"num_format": "#,##0.00"},
    "_number": {"num_format": "0"},
}
_LOOKS.update({f"sum{kind}": {**_SUM, **look} for kind, look in _SUMS.items()})
_LOOKS.update({f"subtotal{kind}": {**_SUBTOTAL, **look} for kind, look in _SUMS.items()})
_WITHOUT_SECONDS: Final = {_DURATION: _TO_THE_MINUTE, "hh:mm:ss": "hh:mm"}


class Workbook:
    def __init__(self, generated: dt.datetime, title: str, *, with_seconds: bool) -> None:
        import xlsxwriter  # noqa: PLC0415 - most processes never make a workbook

        self._out = io.BytesIO()
        self.file: Any = xlsxwriter.Workbook(self._out, _LONG)
        self.file.set_properties({"title": title, "created": generated})
        looks = {name: _format(look, with_seconds=with_seconds) for name, look in _LOOKS.items()}
        self.looks = {name: self.file.add_format(look) for name, look in looks.items()}

    def sheet(self, name: str) -> "Sheet":
        """Adds a sheet, printed on landscape pages of the width of its print area."""
        sheet: Any = self.file.add_worksheet(name)
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        sheet.set_footer("&L&A&RPage &P of &N")
        sheet.hide_gridlines(2)
        return Sheet(self, name, sheet)

    @property
    def body(self) -> bytes:
        return self._out.getvalue()


def _format(look: dict[str, Any], *, with_seconds: bool) -> dict[str, Any]:
    number_format = str(look.get("num_format", ""))
    return (
        look
        if with_seconds or number_format not in _WITHOUT_SECONDS
        else {**look, "num_format": _WITHOUT_SECONDS[number_format]}
    )


@contextlib.contextmanager
def open_workbook(generated: dt.datetime, title: str, *, with_seconds: bool = True) -> Iterator[Workbook]:
    """A workbook whose `body` is complete after the context; temporary files are removed in any case."""
    workbook = Workbook(generated.replace(tzinfo=None), title, with_seconds=with_seconds)
    try:
        yield workbook
    finally:
        workbook.file.close()


class Sheet:
    """Write rows from the top down: each is final when the next begins."""

    def __init__(self, workbook: Workbook, name: str, sheet: Any) -> None:  # noqa: ANN401 - the library has no types
        self.workbook, self.name, self.file = workbook, name, sheet

    def widths(self, widths: Sequence[float]) -> None:
        for column, width in enumerate(widths):
            self.file.set_column(column, column, width)

    def set_height(self, row: int, wrapped: Iterable[tuple[str, float]], *, level: int = 0) -> None:
        """Sets the height of a row for wrapped texts, each with the width of its column. Call it before the cells.

        Some spreadsheet programs do not adjust heights when they open a file.
        """
        lines = max((_count_lines(text, width) for text, width in wrapped), default=1)
        if lines > 1 or level:
            self.file.set_row(row, _LINE_HEIGHT * min(lines, _MOST_LINES), None, {"level": level} if level else {})

    def text(self, row: int, column: int, text: str | None, look: str = "text") -> None:
        """Text, never a formula, number or link."""
        if not text:
            self.file.write_blank(row, column, None, self.workbook.looks[look])
            return
        # The library takes text between these two for its own markup.
        marked = text.startswith("<r>") and text.endswith("</r>")
        self.file.write_string(row, column, f"{text} " if marked else text, self.workbook.looks[look])

    def number(self, row: int, column: int, number: float, look: str = "number") -> None:
        self.file.write_number(row, column, number, self.workbook.looks[look])

    def date(self, row: int, column: int, date: dt.date, look: str = "date") -> None:
        self.number(row, column, (date - _EPOCH.date()).days, look)

    def instant(self, row: int, column: int, local: dt.datetime, look: str) -> None:
        """A local time."""
        self.number(row, column, (local - _EPOCH) / dt.timedelta(days=1), look)

    def duration(self, row: int, column: int, ms: int, look: str = "duration") -> None:
        """A duration that a spreadsheet can sum."""
        self.number(row, column, ms / MS_PER_DAY, look)

    def hours(self, row: int, column: int, hundredths: int, look: str = "hours") -> None:
        self.number(row, column, hundredths / 100, look)

    def subtotal(self, at: tuple[int, int], first_row: int, value: float, look: str) -> None:
        """The sum of the visible cells from `first_row` to the cell above, without subtotals.

        It is a formula with its present value, for programs that do not recalculate.
        """
        row, column = at
        cells = f"SUBTOTAL(109,{area(first_row, column, row - 1, column)})" if row > first_row else None
        self.sum(row, column, cells, value, look)

    def sum(self, row: int, column: int, formula: str | None, value: float, look: str) -> None:
        if formula is None:
            self.number(row, column, value, look)
        else:
            self.file.write_formula(row, column, f"={formula}", self.workbook.looks[look], value)


def _count_lines(text: str, width: float) -> int:
    line_length = int(width * _LETTERS_TO_A_DIGIT)
    return sum(max(1, -(-len(line) // line_length)) for line in text.split("\n"))


def area(first_row: int, first_column: int, last_row: int, last_column: int) -> str:
    """A range of cells, like A1:B2."""
    from xlsxwriter.utility import xl_range  # noqa: PLC0415 - as above

    cells: str = xl_range(first_row, first_column, last_row, last_column)
    return cells
