"""The charts of a workbook: hours by name as bars, hours by day as columns, drawn from the cells beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from reports.tables_book import Sheet


_MS_PER_HOUR: Final = 3_600_000
_BLUE: Final = "#2E75B6"
_GREY: Final = "#D9D9D9"


@dataclass(frozen=True, slots=True)
class Series:
    """Where the cells of the names and of the hours are (row, column, row, column), and what they hold now."""

    names_at: tuple[int, int, int, int]
    names: Sequence[str]
    times_at: tuple[int, int, int, int]
    times: Sequence[int]


def bars(sheet: Sheet, title: str, series: Series, *, at: tuple[int, int]) -> int:
    """One bar below the other; the number of rows that it covers."""
    height = 110 + 24 * len(series.names)
    chart = _chart(sheet, "bar", title, series)
    chart.set_y_axis({"reverse": True, "crossing": "max", "major_gridlines": {"visible": False}})  # as in the table
    chart.set_x_axis({"num_format": "#,##0", "major_gridlines": _lines()})
    _insert(sheet, chart, at, height)
    return height // 20 + 2


def columns(sheet: Sheet, title: str, series: Series, *, at: tuple[int, int]) -> None:
    chart = _chart(sheet, "column", title, series)
    chart.set_x_axis({"text_axis": True, "num_format": "yyyy-mm-dd", "num_font": {"size": 8}})
    chart.set_y_axis({"num_format": "#,##0", "major_gridlines": _lines()})
    _insert(sheet, chart, at, 300)


def _chart(sheet: Sheet, kind: str, title: str, series: Series) -> Any:  # noqa: ANN401 - the library has no types
    chart: Any = sheet.book.file.add_chart({"type": kind})
    chart.add_series(
        {
            "categories": [sheet.name, *series.names_at],
            "values": [sheet.name, *series.times_at],
            "categories_data": list(series.names),
            "values_data": [ms / _MS_PER_HOUR for ms in series.times],
            "fill": {"color": _BLUE},
            "gap": 40,
        }
    )
    chart.set_title({"name": title, "name_font": {"size": 12}})
    chart.set_legend({"none": True})
    return chart


def _lines() -> dict[str, Any]:
    return {"visible": True, "line": {"color": _GREY}}


def _insert(sheet: Sheet, chart: Any, at: tuple[int, int], height: int) -> None:  # noqa: ANN401 - as above
    chart.set_size({"width": 640, "height": height})
    sheet.file.insert_chart(*at, chart)
