"""The exports of the floor: the bytes of the product's CSV, and a workbook that only lists what the product's lists."""

import io
import tempfile
from collections.abc import Iterable
from typing import Any

import xlsxwriter


LINES = """
SELECT u.display_name, u.email, p.organization, p.name, d.work_item_id, i.type, i.title, i.assignee_name, i.state,
    CAST(d.work_date AS TEXT), d.ms, d.n
FROM (
    SELECT user_id, project_id, work_item_id, work_date, sum(elapsed_ms) AS ms, sum(starts_entry) AS n
    FROM time_entry_days
    WHERE tenant_id = 1 AND month_key BETWEEN ? AND ? AND work_date BETWEEN ? AND ?
    GROUP BY user_id, project_id, work_item_id, work_date
) AS d
JOIN users u ON u.id = d.user_id
JOIN projects p ON p.id = d.project_id
JOIN work_items i ON i.tenant_id = 1 AND i.organization_key = 'contoso' AND i.work_item_id = d.work_item_id
ORDER BY lower(u.display_name), u.email, d.user_id, lower(p.name), d.project_id, d.work_item_id, d.work_date
"""
PIECES = """
SELECT CAST(d.work_date AS TEXT), u.display_name, p.name, d.work_item_id, i.title, CAST(e.started_at AS TEXT),
    CAST(e.stopped_at AS TEXT), d.elapsed_ms, u.email, i.type, i.state, e.source
FROM time_entry_days d
JOIN time_entries e ON e.id = d.entry_id
JOIN users u ON u.id = d.user_id
JOIN projects p ON p.id = d.project_id
JOIN work_items i ON i.tenant_id = 1 AND i.organization_key = 'contoso' AND i.work_item_id = d.work_item_id
WHERE d.tenant_id = 1 AND d.month_key BETWEEN ? AND ? AND d.work_date BETWEEN ? AND ?
ORDER BY d.work_date, lower(u.display_name), d.user_id, e.started_at, d.entry_id
"""
_HEAD = (
    '"Person","E-mail","Organization","Project","Work item","Type","Title","Assignee","State","Date",'
    '"Title shown","Hours","Milliseconds","Entries"\r\n'
)
_HUNDREDTH = 36_000
Rows = Iterable[tuple[Any, ...]]


def lines(rows: Rows) -> bytes:
    """The CSV by person, project, work item and day; hours are rounded by largest remainder."""
    held = list(rows)
    each = [int(row[-2]) for row in held]
    hours = [ms // _HUNDREDTH for ms in each]
    missing = (sum(each) + _HUNDREDTH // 2) // _HUNDREDTH - sum(hours)
    for number in sorted(range(len(each)), key=lambda number: -(each[number] % _HUNDREDTH))[:missing]:
        hours[number] += 1
    with tempfile.SpooledTemporaryFile(2**20) as spool:
        out = io.TextIOWrapper(spool, encoding="utf-8-sig", newline="")
        out.write(_HEAD)
        for (*texts, item, kind, title, assignee, state, day, ms, entries), hundredths in zip(held, hours, strict=True):
            about = '","'.join(texts), f'{kind}","{title}","{assignee}","{state}'
            share = f"{hundredths // 100}.{hundredths % 100:02}"
            out.write(f'"{about[0]}",{item},"{about[1]}",{day},"yes",{share},{ms},{entries}\r\n')
        out.flush()
        spool.seek(0)
        body = spool.read()
        out.detach()
    return body


def book(rows: Rows) -> bytes:
    """One sheet with a row for each piece; no sums, formats or charts."""
    with tempfile.TemporaryFile() as file:
        made = xlsxwriter.Workbook(file, {"constant_memory": True})
        sheet = made.add_worksheet("Details")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
        made.close()
        file.seek(0)
        return file.read()
