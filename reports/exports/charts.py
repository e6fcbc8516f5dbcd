"""Charts of a workbook: hours by name as bars, and hours by day as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from reports.exports.workbook import Sheet


MOST_BARS: Final = 30
_BLUE: Final = "#2E75B6"
_GREY: Final = "#D9D9D9"
_WIDTH: Final = 500  # in pixels, as all here
_HEIGHT: Final = 300
_ROW: Final = 20


@dataclass(frozen=True, slots=True)
class Series:
    """The cells of names and hours (row, column, row, column), and their values.

    `outer` has the values of the column before the names, if the names alone are ambiguous.
    """

    names_at: tuple[int, int, int, int]
    names: Sequence[str]
    hours_at: tuple[int, int, int, int]
    hundredths: Sequence[int]
    sheet: str
    outer: Sequence[Sequence[str]] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    kind: str  # bar or column
    title: str
    series: Series


def height(charts: Sequence[Chart]) -> int:
    """The number of rows that the charts side by side cover, with a blank one."""
    return 1 + -(-max((_height(chart) for chart in charts), default=-_ROW) // _ROW)


def insert(sheet: Sheet, charts: Sequence[Chart], row: int) -> None:
    """Inserts charts side by side from the first column on, so that they are visible and on the first printed page."""
    for number, chart in enumerate(charts):
        drawn = _bars(sheet, chart) if chart.kind == "bar" else _columns(sheet, chart)
        drawn.set_size({"width": _WIDTH, "height": _height(chart)})
        sheet.file.insert_chart(row, 0, drawn, {"x_offset": number * (_WIDTH + 20) + 2, "object_position": 3})


def _height(chart: Chart) -> int:
    return max(_HEIGHT, 100 + 16 * len(chart.series.names)) if chart.kind == "bar" else _HEIGHT


def _bars(sheet: Sheet, chart: Chart) -> Any:  # noqa: ANN401 - the library has no types
    drawn = _chart(sheet, chart)
    drawn.set_y_axis({"reverse": True, "crossing": "max", "major_gridlines": {"visible": False}, **_small("General")})
    drawn.set_x_axis(_hours_axis())
    return drawn


def _columns(sheet: Sheet, chart: Chart) -> Any:  # noqa: ANN401 - as above
    drawn = _chart(sheet, chart)
    drawn.set_x_axis({"text_axis": True, **_small("d mmm")})
    drawn.set_y_axis(_hours_axis())
    return drawn


def _chart(sheet: Sheet, chart: Chart) -> Any:  # noqa: ANN401 - as above
    series = chart.series
    drawn: Any = sheet.workbook.file.add_chart({"type": chart.kind})
    drawn.add_series(
        {
            "categories": [series.sheet, *series.names_at],
            "values": [series.sheet, *series.hours_at],
            "categories_data": [*map(list, series.outer), list(series.names)] if series.outer else list(series.names),
            "values_data": [hundredths / 100 for hundredths in series.hundredths],
            "fill": {"color": _BLUE},
            "gap": 40,
        }
    )
    drawn.set_title({"name": chart.title, "name_font": {"size": 12}, "overlay": False})
    drawn.set_legend({"none": True})
    return drawn


def _small(number_format: str) -> dict[str, Any]:
    return {"num_format": number_format, "num_font": {"size": 8}}


def _hours_axis() -> dict[str, Any]:
    lines = {"visible": True, "line": {"color": _GREY}}
    return {"min": 0, "major_gridlines": lines, **_small("General"), "name": "Hours", "name_font": {"size": 8}}
