"""Reads the audit log of a tenant, with the operators' ids, page by page."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import audit_log, users


_log = audit_log.c
_actor, _subject = users.alias("actor"), users.alias("subject")
_BEFORE: Final = bindparam("before", type_=sa.BigInteger)
_ALL_ACTORS: Final = bindparam("all_actors", type_=sa.Integer)  # 1 or 0: a flag alone has no type on PostgreSQL
_PAGE: Final[sa.Select[Any]] = (
    sa.select(
        *(_log[name] for name in ("id", "at", "action", "actor_kind", "operator_id", "before_change", "after_change")),
        _actor.c.public_id.label("actor"),
        _subject.c.public_id.label("subject"),
    )
    .outerjoin(_actor, sa.and_(_actor.c.tenant_id == _log.tenant_id, _actor.c.id == _log.actor_id))
    .outerjoin(_subject, sa.and_(_subject.c.tenant_id == _log.tenant_id, _subject.c.id == _log.subject_user_id))
    .where(
        _log.tenant_id == bindparam("tenant"),
        sa.or_(_BEFORE.is_(None), _log.id < _BEFORE),
        sa.or_(_ALL_ACTORS == 1, _log.operator_id.is_not(None), _log.actor_kind == "operator"),
    )
    .order_by(_log.id.desc())
    .limit(bindparam("size", type_=sa.Integer))
)


def page(tx: sa.Connection, tenant_id: int, *, before: int | None, size: int, operators: bool) -> Sequence[sa.Row[Any]]:
    """The newest rows, or those before a row number; with `operators` only those of commands."""
    values = {"tenant": tenant_id, "before": before, "size": size, "all_actors": int(not operators)}
    return tx.execute(_PAGE, values).all()
