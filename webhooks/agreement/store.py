"""The rows of purchases that need agreement, and of the people who may agree."""

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from billing.subscriptions import Terms
from shared.db.schema import purchase_requests, users
from shared.db.statements import InsertIfAbsent
from shared.tenancy.model import Role
from shared.tenancy.store import restricted_since
from webhooks.agreement.rules import Admin, PurchaseRequest, RequestState


_r, _u = purchase_requests.c, users.c
_OF_TENANT: Final = _r.tenant_id == bindparam("tenant", type_=sa.BigInteger)
_BY_ID: Final[sa.Select[Any]] = sa.select(purchase_requests).where(_r.marketplace_id == bindparam("marketplace"))
_FIND: Final = _BY_ID.where(_OF_TENANT)
_NEWEST: Final[sa.Select[Any]] = (
    sa.select(purchase_requests).where(_OF_TENANT).order_by(_r.id.desc()).limit(bindparam("most"))
)
_PEOPLE: Final = sa.select(
    _u.id, _u.public_id, _u.display_name, restricted_since(users).label("restricted_since")
).where(_u.tenant_id == bindparam("tenant"), _u.id.in_(bindparam("ids", expanding=True)))
_CHANGE_TERMS: Final = (
    purchase_requests.update()
    .where(_OF_TENANT, _r.marketplace_id == bindparam("marketplace"), _r.state != RequestState.AGREED.value)
    .values(plan_id=bindparam("plan"), quantity=bindparam("seats"), term_unit=bindparam("unit"))
)
_OPEN: Final[sa.Select[Any]] = sa.select(purchase_requests).where(
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
_ADMINS: Final = sa.select(_u.id, _u.entra_object_id, _u.role, _u.last_sign_in_at).where(
    _u.tenant_id == bindparam("tenant"),
    _u.is_active,
    _u.role.in_((Role.ADMIN.value, Role.SUPER_ADMIN.value)),
)


def find(tx: sa.Connection, tenant_id: int, marketplace_id: uuid.UUID) -> PurchaseRequest | None:
    row = tx.execute(_FIND, {"tenant": tenant_id, "marketplace": marketplace_id}).first()
    return None if row is None else _request(row)


def newest(tx: sa.Connection, tenant_id: int, *, most: int) -> list[PurchaseRequest]:
    """The tenant's requests in every state, newest first."""
    return [_request(row) for row in tx.execute(_NEWEST, {"tenant": tenant_id, "most": most})]


def find_anywhere(tx: sa.Connection, marketplace_id: uuid.UUID) -> PurchaseRequest | None:
    """The request of any tenant, for operators."""
    row = tx.execute(_BY_ID, {"marketplace": marketplace_id}).first()
    return None if row is None else _request(row)


def open_everywhere(tx: sa.Connection) -> dict[str, PurchaseRequest]:
    """The waiting and declined requests of every tenant, by Microsoft's id."""
    return {str(row.marketplace_id): _request(row) for row in tx.execute(_OPEN)}


def add(  # noqa: PLR0917 - the row
    tx: sa.Connection, tenant_id: int, marketplace_id: uuid.UUID, terms: Terms, buyer_id: int | None, now: dt.datetime
) -> bool:
    """Whether the request is new."""
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
    """Closes a request that waits; except for a decline, also one that was declined. False for any other request."""
    before = [RequestState.WAITING.value]
    if state is not RequestState.DECLINED:
        before.append(RequestState.DECLINED.value)
    values = {"to_state": state.value, "who": by, "now": now, "from_states": before}
    where = {"tenant": request.tenant_id, "marketplace": request.marketplace_id}
    return tx.execute(_DECIDE, {**where, **values}).rowcount == 1


def change_terms(tx: sa.Connection, request: PurchaseRequest, terms: Terms) -> None:
    """Stores the present terms of a purchase that was changed while it waited."""
    where = {"tenant": request.tenant_id, "marketplace": request.marketplace_id}
    tx.execute(_CHANGE_TERMS, {**where, "plan": terms.plan_id, "seats": terms.quantity, "unit": terms.term_unit})


def people(tx: sa.Connection, tenant_id: int, row_numbers: Iterable[int | None]) -> dict[int, tuple[uuid.UUID, str]]:
    """Ids and names by row number; an empty name for a person with restricted processing."""
    wanted = sorted({each for each in row_numbers if each is not None})
    rows = tx.execute(_PEOPLE, {"tenant": tenant_id, "ids": wanted}) if wanted else ()
    return {row.id: (row.public_id, "" if row.restricted_since else row.display_name) for row in rows}


def admins(tx: sa.Connection, tenant_id: int) -> tuple[Admin, ...]:
    """The enabled accounts with a role above `user`."""
    rows = tx.execute(_ADMINS, {"tenant": tenant_id})
    return tuple(
        Admin(
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
