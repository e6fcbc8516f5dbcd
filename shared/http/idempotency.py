"""Keeps the answer to a request with an Idempotency-Key, in the transaction that did the work.

The row is written last, and its unique key decides: whoever comes second undoes its own work and gives the first's
answer. So a key costs the first request one statement, and a crash anywhere leaves either both or neither.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import idempotency_keys
from shared.db.statements import InsertIfAbsent
from shared.errors import IdempotencyKeyReused
from shared.http.reply import Reply


KEPT: Final = dt.timedelta(hours=48)
_keys = idempotency_keys.c
_INSERT = InsertIfAbsent(
    idempotency_keys,
    key=("tenant_id", "user_id", "operation", "idempotency_key"),
    columns=(
        "tenant_id",
        "user_id",
        "operation",
        "idempotency_key",
        "fingerprint",
        "status",
        "headers",
        "body",
        "created_at",
    ),
)
_THIS = (
    _keys.tenant_id == bindparam("tenant"),
    _keys.user_id == bindparam("user"),
    _keys.operation == bindparam("of"),
    _keys.idempotency_key == bindparam("key"),
)
_FIND = sa.select(_keys.fingerprint, _keys.status, _keys.headers, _keys.body, _keys.created_at).where(*_THIS)
_REPLACE = (
    idempotency_keys.update()
    .where(*_THIS)
    .values(status=bindparam("new_status"), headers=bindparam("new_headers"), body=bindparam("new_body"))
)
_FORGET = idempotency_keys.delete().where(*_THIS)


class KeyTaken(Exception):
    """Another request with this key has been answered: this one's work must be undone."""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Whose key it is and what was asked with it."""

    tenant_id: int
    user_id: int
    operation: str
    key: str
    fingerprint: str

    @property
    def parameters(self) -> dict[str, Any]:
        return {"tenant": self.tenant_id, "user": self.user_id, "of": self.operation, "key": self.key}


def fingerprint(path: str, body: bytes) -> str:
    return hashlib.sha256(path.encode() + b"\0" + body).hexdigest()


def keep(tx: sa.Connection, key: RequestKey, reply: Reply, *, now: dt.datetime) -> None:
    """Stores the answer beside the work.

    Raises:
        KeyTaken: the key has an answer already, from a request that was quicker or came before.
    """
    values = {
        "tenant_id": key.tenant_id,
        "user_id": key.user_id,
        "operation": key.operation,
        "idempotency_key": key.key,
        "fingerprint": key.fingerprint,
        "status": int(reply.status),
        "headers": dict(reply.headers),
        "body": reply.body.decode(),
        "created_at": now,
    }
    if _INSERT.run(tx, values) is None:
        raise KeyTaken


def replace(tx: sa.Connection, key: RequestKey, reply: Reply) -> None:
    """Puts another answer in the place of the one that was kept for this request."""
    values = {"new_status": int(reply.status), "new_headers": dict(reply.headers), "new_body": reply.body.decode()}
    tx.execute(_REPLACE, {**key.parameters, **values})


def recall(tx: sa.Connection, key: RequestKey, *, now: dt.datetime) -> Reply | None:
    """The answer given before; one older than 48 hours is forgotten, and the key is free again.

    Raises:
        IdempotencyKeyReused: the key was used for another request.
    """
    row = tx.execute(_FIND, key.parameters).first()
    if row is None:
        return None
    if now - row.created_at >= KEPT:
        tx.execute(_FORGET, key.parameters)
        return None
    if row.fingerprint != key.fingerprint:
        raise IdempotencyKeyReused(
            "This idempotency key was used for another request. Use a fresh key for each thing that is to be done."
        )
    return Reply(row.status, row.body.encode(), {**row.headers, "Idempotent-Replayed": "true"})
