"""The rows of purchases that wait for an answer, and of the people who may give it."""

import datetime as dt
import uuid
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import purchase_requests, users
from shared.db.statements import InsertIfAbsent
from shared.subscriptions.model import Terms
from shared.tenancy.model import Role
from webhooks.rules_agreement import Manager, PurchaseRequest, RequestState


_r, _u = purchase_requests.c, users.c
_OF_TENANT: Final = _r.tenant_id == bindparam("tenant", type_=sa.BigInteger)
_REQUEST: Final[sa.Select[Any]] = sa.select(
    _r.tenant_id,
    _r.marketplace_id,
    _r.state,
    _r.offer_id,
    _r.plan_id,
    _r.quantity,
    _r.term_unit,
    _r.buyer_id,
    _r.requested_at,
    _r.decider_id,
    _r.decided_at,
)
_FIND: Final = _REQUEST.where(_OF_TENANT, _r.marketplace_id == bindparam("marketplace"))
_NEWEST: Final = _REQUEST.where(_OF_TENANT).order_by(_r.id.desc()).limit(bindparam("most"))
_BY_ID: Final = _REQUEST.where(_r.marketplace_id == bindparam("marketplace"))
_OPEN: Final = sa.select(_r.marketplace_id, _r.tenant_id, _r.state).where(
    _r.state.in_((RequestState.WAITING.value, RequestState.DECLINED.value))
)
_ADD: Final = InsertIfAbsent(
    purchase_requests,
    key=("marketplace_id",),
    columns=(
        "tenant_id",
        "marketplace_id",
        "state",
        "offer_id",
        "plan_id",
        "quantity",
        "term_unit",
        "buyer_id",
        "requested_at",
        "decider_id",
        "decided_at",
    ),
)
_DECIDE: Final = (
    purchase_requests.update()
    .where(
        _OF_TENANT,
        _r.marketplace_id == bindparam("marketplace"),
        _r.state.in_(bindparam("from_states", expanding=True)),
    )
    .values(state=bindparam("to_state"), decider_id=bindparam("who"), decided_at=bindparam("now"))
)
_MANAGERS: Final = sa.select(_u.id, _u.entra_object_id, _u.role, _u.last_sign_in_at).where(
    _u.tenant_id == bindparam("tenant"),
    _u.is_active,
    _u.role.in_((Role.ADMIN.value, Role.SUPER_ADMIN.value)),
)


def find(tx: sa.Connection, tenant_id: int, marketplace_id: uuid.UUID) -> PurchaseRequest | None:
    row = tx.execute(_FIND, {"tenant": tenant_id, "marketplace": marketplace_id}).first()
    return None if row is None else _request(row)


def newest(tx: sa.Connection, tenant_id: int, *, most: int) -> list[PurchaseRequest]:
    """The tenant's requests in whatever state, newest first."""
    return [_request(row) for row in tx.execute(_NEWEST, {"tenant": tenant_id, "most": most})]


def find_anywhere(tx: sa.Connection, marketplace_id: uuid.UUID) -> PurchaseRequest | None:
    """For operators, who know a purchase by Microsoft's id."""
    row = tx.execute(_BY_ID, {"marketplace": marketplace_id}).first()
    return None if row is None else _request(row)


def open_everywhere(tx: sa.Connection) -> dict[uuid.UUID, tuple[int, RequestState]]:
    """Those that wait or were declined, of every tenant: the tenant's row number and the state."""
    return {row.marketplace_id: (row.tenant_id, RequestState(row.state)) for row in tx.execute(_OPEN)}


def add(  # noqa: PLR0917 - the row
    tx: sa.Connection, tenant_id: int, marketplace_id: uuid.UUID, terms: Terms, buyer_id: int | None, now: dt.datetime
) -> bool:
    """Whether it was not there before."""
    values = {
        "tenant_id": tenant_id,
        "marketplace_id": marketplace_id,
        "state": RequestState.WAITING.value,
        "offer_id": terms.offer_id,
        "plan_id": terms.plan_id,
        "quantity": terms.quantity,
        "term_unit": terms.term_unit,
        "buyer_id": buyer_id,
        "requested_at": now,
        "decider_id": None,
        "decided_at": None,
    }
    return _ADD.run(tx, values) is not None


def decide(
    tx: sa.Connection, request: PurchaseRequest, state: RequestState, *, by: int | None, now: dt.datetime
) -> bool:
    """Moves a request on, from `waiting`, or for an agreement also from `declined`; False when it is elsewhere."""
    before = [RequestState.WAITING.value]
    if state is not RequestState.DECLINED:
        before.append(RequestState.DECLINED.value)
    values = {"to_state": state.value, "who": by, "now": now, "from_states": before}
    where = {"tenant": request.tenant_id, "marketplace": request.marketplace_id}
    return tx.execute(_DECIDE, {**where, **values}).rowcount == 1


def managers(tx: sa.Connection, tenant_id: int) -> tuple[Manager, ...]:
    """The enabled accounts with a role above `user`."""
    rows = tx.execute(_MANAGERS, {"tenant": tenant_id})
    return tuple(
        Manager(
            row.id,
            None if row.entra_object_id is None else str(row.entra_object_id),
            Role(row.role),
            row.last_sign_in_at,
        )
        for row in rows
    )


def _request(row: sa.Row[Any]) -> PurchaseRequest:
    return PurchaseRequest(
        tenant_id=row.tenant_id,
        marketplace_id=row.marketplace_id,
        state=RequestState(row.state),
        offer_id=row.offer_id,
        plan_id=row.plan_id,
        quantity=row.quantity,
        term_unit=row.term_unit,
        buyer_id=row.buyer_id,
        requested_at=row.requested_at,
        decider_id=row.decider_id,
        decided_at=row.decided_at,
    )
