"""Lists the rows of both logs that erasures of earlier versions damaged."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from shared.db.schema import audit_log, damaged_documents, tenants, timer_log


@dataclass(frozen=True, slots=True)
class Damaged:
    """`row` is the id of an audit row; of the timer log the timer's id, the event, and the version that it made."""

    tenant: str
    log: str
    row: str


_listed = damaged_documents.c
_LISTED: Final = (
    sa.select(
        tenants.c.slug,
        _listed.table_name,
        audit_log.c.public_id,
        timer_log.c.timer_id,
        timer_log.c.event,
        timer_log.c.entry_version,
    )
    .join(tenants, tenants.c.id == _listed.tenant_id)
    .outerjoin(
        audit_log,
        sa.and_(
            _listed.table_name == "audit_log",
            audit_log.c.tenant_id == _listed.tenant_id,
            audit_log.c.id == _listed.row_id,
        ),
    )
    .outerjoin(
        timer_log,
        sa.and_(
            _listed.table_name == "timer_log",
            timer_log.c.tenant_id == _listed.tenant_id,
            timer_log.c.id == _listed.row_id,
        ),
    )
    .order_by(_listed.id)
)


def listed(tx: sa.Connection) -> Iterator[Damaged]:
    """Those of every tenant, as the migration found them."""
    for row in tx.execute(_LISTED):
        of_timer = f"{row.timer_id} {row.event} {row.entry_version}"
        shown = str(row.public_id) if row.table_name == "audit_log" else of_timer
        yield Damaged(row.slug, row.table_name, shown)
