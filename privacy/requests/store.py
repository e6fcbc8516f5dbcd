"""The rows of erasure requests, the list of erasures, and the legal hold of a tenant."""

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from privacy.rules import MOVES, OPEN, Channel, Hold, Scope, State
from shared.db.schema import erasures, privacy_requests, tenants, users
from shared.db.statements import InsertIfAbsent, for_update
from shared.restore.model import PrivacyChangeKind
from shared.restore.store import add_change


@dataclass(frozen=True, slots=True)
class Request:
    id: int
    tenant_id: int
    public_id: uuid.UUID
    scope: Scope
    subject_user_id: int | None  # None is the whole tenant
    subject_id: uuid.UUID | None  # the public id of the person
    channel: Channel
    requested_by: int | None  # None is an operator
    state: State
    hold: Hold | None
    requested_at: dt.datetime
    due_at: dt.datetime
    verified_at: dt.datetime | None
    scheduled_for: dt.datetime | None
    ended_at: dt.datetime | None


_requests = privacy_requests.c
_OPEN: Final = tuple(state.value for state in OPEN)
_OF_TENANT: Final = _requests.tenant_id == bindparam("tenant")
_REQUEST: Final[sa.Select[Any]] = (
    sa.select(privacy_requests, users.c.public_id.label("subject_id"))
    .outerjoin(users, sa.and_(users.c.tenant_id == _requests.tenant_id, users.c.id == _requests.subject_user_id))
    .where(_OF_TENANT)
)
_ONE: Final = _REQUEST.where(_requests.public_id == bindparam("public"))
_ONE_FOR_UPDATE: Final = for_update(_ONE, privacy_requests)
_OPEN_OF_PERSON: Final = _REQUEST.where(_requests.state.in_(_OPEN), _requests.subject_user_id == bindparam("user"))
_OPEN_OF_TENANT: Final = _REQUEST.where(_requests.state.in_(_OPEN), _requests.kind == Scope.TENANT.value)
_HELD_FOR: Final = _REQUEST.where(_requests.state == State.ON_HOLD.value, _requests.hold_reason == bindparam("reason"))
_SCHEDULED: Final = _REQUEST.where(_requests.state == State.SCHEDULED.value)
_ERASED_AT: Final = sa.select(tenants.c.erased_at).where(tenants.c.id == bindparam("tenant"))
_NEWEST: Final = _REQUEST.order_by(_requests.id.desc()).limit(bindparam("limit"))
_NEWEST_OF_PERSON: Final = _NEWEST.where(_requests.subject_user_id == bindparam("user"))
_EVERYWHERE: Final[sa.Select[Any]] = (
    sa.select(privacy_requests, users.c.public_id.label("subject_id"), tenants.c.slug)
    .join(tenants, tenants.c.id == _requests.tenant_id)
    .outerjoin(users, sa.and_(users.c.tenant_id == _requests.tenant_id, users.c.id == _requests.subject_user_id))
    .where(sa.or_(bindparam("all", type_=sa.Integer) == 1, _requests.state.in_(_OPEN)))
    .order_by(_requests.due_at, _requests.id)
)
# Due requests, and verified ones on a hold that ends by itself, which is checked again.
_DUE: Final = (
    sa.select(_requests.tenant_id, _requests.public_id)
    .join(tenants, tenants.c.id == _requests.tenant_id)
    .where(
        tenants.c.legal_hold_at.is_(None),
        sa.or_(
            sa.and_(_requests.state == State.SCHEDULED.value, _requests.scheduled_for <= bindparam("now")),
            sa.and_(
                _requests.state == State.ON_HOLD.value,
                _requests.verified_at.is_not(None),
                _requests.hold_reason.in_([hold.value for hold in Hold if not hold.is_legal]),
            ),
        ),
    )
    .order_by(_requests.due_at, _requests.id)
)
_COLUMNS: Final = (
    "tenant_id",
    "public_id",
    "kind",
    "subject_user_id",
    "channel",
    "requested_by",
    "state",
    "requested_at",
    "due_at",
    "version",
)
_ADD: Final = privacy_requests.insert().values({name: bindparam(name) for name in _COLUMNS})
_MOVE: Final = (
    privacy_requests.update()
    .where(
        _OF_TENANT,
        _requests.id == bindparam("request"),
        _requests.state.in_(bindparam("from_states", expanding=True)),
    )
    .values(
        state=bindparam("to_state"),
        hold_reason=bindparam("reason"),
        verified_at=sa.func.coalesce(_requests.verified_at, bindparam("verified", type_=_requests.verified_at.type)),
        scheduled_for=sa.func.coalesce(bindparam("due", type_=_requests.scheduled_for.type), _requests.scheduled_for),
        ended_at=bindparam("ended", type_=_requests.ended_at.type),
        version=_requests.version + 1,
    )
)
_ERASED: Final = InsertIfAbsent(
    erasures, key=("tenant_id", "subject_id"), columns=("tenant_id", "subject_id", "erased_at")
)
_LIST: Final = (
    sa.select(tenants.c.public_id.label("tenant"), erasures.c.subject_id, erasures.c.erased_at)
    .join(tenants, tenants.c.id == erasures.c.tenant_id)
    .order_by(erasures.c.id)
)
_LEGAL_HOLD: Final = sa.select(tenants.c.legal_hold_reason).where(tenants.c.id == bindparam("tenant"))
_SET_LEGAL_HOLD: Final = (
    tenants.update()
    .where(tenants.c.id == bindparam("tenant"))
    .values(
        legal_hold_reason=bindparam("reason", type_=tenants.c.legal_hold_reason.type),
        legal_hold_at=bindparam("at", type_=tenants.c.legal_hold_at.type),
    )
)


def add(tx: sa.Connection, values: dict[str, Any]) -> None:
    """Adds a request.

    Raises:
        IntegrityError: the subject has an open request; a unique key prevents a second one.
    """
    tx.execute(_ADD, {"version": 1, **values})


def find(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID, *, lock: bool = False) -> Request | None:
    row = tx.execute(_ONE_FOR_UPDATE if lock else _ONE, {"tenant": tenant_id, "public": public_id}).first()
    return None if row is None else _build_request(row)


def find_open(tx: sa.Connection, tenant_id: int, user_id: int | None) -> Request | None:
    """The open request for a person, or for the whole tenant."""
    statement = _OPEN_OF_TENANT if user_id is None else _OPEN_OF_PERSON
    subject = {} if user_id is None else {"user": user_id}
    row = tx.execute(statement, {"tenant": tenant_id, **subject}).first()
    return None if row is None else _build_request(row)


def list_newest(tx: sa.Connection, tenant_id: int, *, user_id: int | None, limit: int) -> list[Request]:
    """The newest requests about a person, or all of the tenant."""
    statement = _NEWEST if user_id is None else _NEWEST_OF_PERSON
    subject = {} if user_id is None else {"user": user_id}
    return [_build_request(row) for row in tx.execute(statement, {"tenant": tenant_id, "limit": limit, **subject})]


def list_all(tx: sa.Connection, *, include_closed: bool) -> list[tuple[str, Request]]:
    """The requests of all tenants with the tenant's slug, most urgent first."""
    return [(row.slug, _build_request(row)) for row in tx.execute(_EVERYWHERE, {"all": int(include_closed)})]


def list_due(tx: sa.Connection, now: dt.datetime) -> list[tuple[int, uuid.UUID]]:
    """The due requests of all tenants, as tenant and request id."""
    return [(row.tenant_id, row.public_id) for row in tx.execute(_DUE, {"now": now})]


def list_held(tx: sa.Connection, tenant_id: int, hold: Hold) -> list[Request]:
    """The requests of a tenant that are on hold for a reason."""
    return [_build_request(row) for row in tx.execute(_HELD_FOR, {"tenant": tenant_id, "reason": hold.value})]


def list_scheduled(tx: sa.Connection, tenant_id: int) -> list[Request]:
    """The scheduled requests of a tenant."""
    return [_build_request(row) for row in tx.execute(_SCHEDULED, {"tenant": tenant_id})]


def is_erased(tx: sa.Connection, tenant_id: int) -> bool:
    """Whether the organization is erased."""
    return tx.execute(_ERASED_AT, {"tenant": tenant_id}).scalar() is not None


def move(
    tx: sa.Connection,
    request: Request,
    state: State,
    *,
    hold: Hold | None = None,
    verified: dt.datetime | None = None,
    due: dt.datetime | None = None,
    ended: dt.datetime | None = None,
) -> bool:
    """Changes the state of a request; False if its current state does not allow that."""
    values = {
        "tenant": request.tenant_id,
        "request": request.id,
        "from_states": sorted(each.value for each in MOVES[state]),
        "to_state": state.value,
        "reason": None if hold is None else hold.value,
        "verified": verified,
        "due": due,
        "ended": ended,
    }
    return tx.execute(_MOVE, values).rowcount == 1


def add_erasure(tx: sa.Connection, tenant_id: int, subject_id: uuid.UUID, *, now: dt.datetime) -> None:
    """Adds a person or an organization to the list of erasures, here and in the restore store."""
    add_change(tx, tenant_id, PrivacyChangeKind.ERASURE, subject_id, public_id=subject_id, in_force=True, at=now)
    _ERASED.run(tx, {"tenant_id": tenant_id, "subject_id": subject_id, "erased_at": now})


def list_erasures(tx: sa.Connection) -> Iterable[sa.Row[Any]]:
    """All erasures, by ids: `tenant`, `subject_id`, `erased_at`."""
    return tx.execute(_LIST)


def read_legal_hold(tx: sa.Connection, tenant_id: int) -> str | None:
    return tx.execute(_LEGAL_HOLD, {"tenant": tenant_id}).scalar()


def set_legal_hold(tx: sa.Connection, tenant_id: int, *, reason: str | None, at: dt.datetime | None) -> None:
    tx.execute(_SET_LEGAL_HOLD, {"tenant": tenant_id, "reason": reason, "at": at})


def _build_request(row: sa.Row[Any]) -> Request:
    return Request(
        id=row.id,
        tenant_id=row.tenant_id,
        public_id=row.public_id,
        scope=Scope(row.kind),
        subject_user_id=row.subject_user_id,
        subject_id=row.subject_id,
        channel=Channel(row.channel),
        requested_by=row.requested_by,
        state=State(row.state),
        hold=None if row.hold_reason is None else Hold(row.hold_reason),
        requested_at=row.requested_at,
        due_at=row.due_at,
        verified_at=row.verified_at,
        scheduled_for=row.scheduled_for,
        ended_at=row.ended_at,
    )
