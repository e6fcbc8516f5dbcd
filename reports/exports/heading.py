"""The heading of a workbook: company, period, filters and totals."""

import datetime as dt
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from reports.exports.columns import FULL_NAMES, Names
from reports.exports.hour_rules import rounded, to_the_minute
from reports.exports.workbook import Sheet
from reports.rules import Span
from reports.title_service import TitleCounts


_NOT_READ_TITLES: Final = "open the report in Azure DevOps to load the rest"
_REFUSED_TITLES: Final = "Azure DevOps does not show you the rest"
_NOT_IN_THE_TOTAL: Final = "not in the total; open the report in Azure DevOps to load the types"


@dataclass(frozen=True, slots=True)
class Heading:
    """`generated` is aware; `filters` is text. A customer's workbook has no addresses, seconds or pseudonyms."""

    kind: str
    organization: str
    span: Span
    time_zone: str
    generated: dt.datetime
    filters: str = "none"
    names: Names = FULL_NAMES
    for_customer: bool = False

    @property
    def title(self) -> str:
        return f"{self.kind}, {self.span.title}"


def write(sheet: Sheet, heading: Heading, total_ms: int, unknown_ms: int | None, titles: TitleCounts) -> int:
    """Writes the heading; returns the row after it and a blank one."""
    generated = heading.generated.astimezone(ZoneInfo(heading.time_zone)).isoformat(" ", "minutes")
    sheet.text(0, 0, heading.title, "title")
    texts = [
        ("Company", heading.organization),
        ("Period", f"{heading.span.first} to {heading.span.last}"),
        ("Time zone", heading.time_zone),
        ("Filters", heading.filters),
        ("Generated", f"{generated[:16]} {generated[16:]}"),
    ]
    row = 1
    for label, text in texts:
        sheet.text(row, 0, label, "label")
        sheet.text(row, 1, text)
        row += 1
    sheet.text(row, 0, "Total", "label")
    sheet.duration(row, 1, total_ms, "total")
    sheet.text(row + 1, 0, "Total hours", "label")
    sheet.hours(row + 1, 1, rounded(total_ms), "total_hours")
    row += 2
    if unknown_ms is not None:
        sheet.text(row, 0, "Type not known", "label")
        sheet.duration(row, 1, to_the_minute(unknown_ms) if heading.for_customer else unknown_ms, "total")
        sheet.text(row, 2, _NOT_IN_THE_TOTAL, "label")
        row += 1
    if titles.shown < titles.total:
        sheet.text(row, 0, "Titles", "label")
        sheet.text(row, 1, f"{titles.shown:,} of {titles.total:,}")
        sheet.text(row, 2, _NOT_READ_TITLES if titles.not_asked else _REFUSED_TITLES, "label")
        row += 1
    return row + 1
