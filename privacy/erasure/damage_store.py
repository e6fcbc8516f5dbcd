"""Lists the log rows damaged by erasures of earlier versions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from shared.db.schema import audit_log, damaged_documents, tenants, timer_log


@dataclass(frozen=True, slots=True)
class DamagedRow:
    """`row` is the id of an audit row, or of a timer log row the timer's id, the event and the entry version."""

    tenant: str
    log: str
    row: str


_rows = damaged_documents.c
_DAMAGED: Final = (
    sa.select(
        tenants.c.slug,
        _rows.table_name,
        audit_log.c.public_id,
        timer_log.c.timer_id,
        timer_log.c.event,
        timer_log.c.entry_version,
    )
    .join(tenants, tenants.c.id == _rows.tenant_id)
    .outerjoin(
        audit_log,
        sa.and_(
            _rows.table_name == "audit_log",
            audit_log.c.tenant_id == _rows.tenant_id,
            audit_log.c.id == _rows.row_id,
        ),
    )
    .outerjoin(
        timer_log,
        sa.and_(
            _rows.table_name == "timer_log",
            timer_log.c.tenant_id == _rows.tenant_id,
            timer_log.c.id == _rows.row_id,
        ),
    )
    .order_by(_rows.id)
)


def list_damaged(tx: sa.Connection) -> Iterator[DamagedRow]:
    """The damaged rows of all tenants, as the migration found them."""
    for row in tx.execute(_DAMAGED):
        timer_row = f"{row.timer_id} {row.event} {row.entry_version}"
        row_id = str(row.public_id) if row.table_name == "audit_log" else timer_row
        yield DamagedRow(row.slug, row.table_name, row_id)
