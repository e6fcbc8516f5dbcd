"""Invariants of the write-back, as queries that find violations."""

from typing import Any, Final

import sqlalchemy as sa

from shared.db.schema import projects, time_entries, write_back_attempts, write_back_changes, write_back_items
from timers.write_back.model import AttemptState


_c, _i, _a, _e = write_back_changes.c, write_back_items.c, write_back_attempts.c, time_entries.c
_of_project = sa.and_(projects.c.tenant_id == _e.tenant_id, projects.c.id == _e.project_id)
_on_its_item = sa.and_(
    _e.tenant_id == _c.tenant_id,
    _e.public_id == _c.entry_id,
    _e.work_item_id == _c.work_item_id,
    projects.c.organization_id == _c.organization_id,
)
_same_item = (
    _c.tenant_id == _i.tenant_id,
    _c.organization_id == _i.organization_id,
    _c.work_item_id == _i.work_item_id,
)
_targeted = (
    sa.select(sa.func.coalesce(sa.func.sum(_c.delta_ms), 0)).where(*_same_item, _c.batch.is_not(None)).scalar_subquery()
)
_landed = (
    sa.select(sa.func.coalesce(sa.func.sum(sa.type_coerce(_a.hours_after - _a.hours_before, sa.Numeric)), 0))
    .where(_a.tenant_id == _i.tenant_id, _a.item_id == _i.id, _a.state == AttemptState.LANDED.value)
    .scalar_subquery()
)
_NOTHING: Final = sa.literal_column("0", sa.Numeric)

WRITE_BACK: Final[dict[str, sa.Select[Any]]] = {
    "changes_of_an_entry_add_up_to_its_time": (
        sa.select(sa.func.min(_c.id).label("id"))
        .select_from(write_back_changes.outerjoin(time_entries.join(projects, _of_project), _on_its_item))
        .group_by(_c.tenant_id, _c.entry_id, _c.organization_id, _c.work_item_id)
        .having(sa.func.sum(_c.delta_ms) != sa.func.coalesce(sa.func.max(_e.elapsed_ms), 0))
    ),
    "an_entry_that_counts_does_so_on_its_item": (
        sa.select(_e.id)
        .join(projects, _of_project)
        .where(
            _e.elapsed_ms > 0,
            sa.exists().where(_c.tenant_id == _e.tenant_id, _c.entry_id == _e.public_id),
            ~sa.exists().where(_on_its_item),
        )
    ),
    "target_is_the_sum_of_its_changes": sa.select(_i.id).where(_i.target_ms != _targeted),
    "written_is_the_sum_of_the_writes_that_landed": sa.select(_i.id).where(
        sa.type_coerce(_i.written, sa.Numeric) - sa.func.coalesce(sa.type_coerce(_i.migrated, sa.Numeric), _NOTHING)
        != _landed
    ),
}
