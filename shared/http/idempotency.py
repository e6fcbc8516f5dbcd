"""Keeps the answer to a request with an Idempotency-Key, in the transaction that did the work.

The row is written last, and its unique key decides: whoever comes second undoes its own work and gives the first's
answer. So a key costs the first request one statement, and a crash anywhere leaves either both or neither.

An answer that shows somebody whose data is hidden since, by a restriction or an erasure, loses its body. Its key stays,
so that a repeat does nothing again: it is answered 204, or, where the answer was a refusal, by its status and code.
"""

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import erasures, idempotency_keys, users
from shared.db.statements import InsertIfAbsent
from shared.errors import IdempotencyKeyReused
from shared.http.reply import Reply
from shared.tenancy.store import not_stopped


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
_OF_OTHERS: Final = sa.select(_keys.id, _keys.status, _keys.headers, _keys.body).where(
    _keys.tenant_id == bindparam("tenant"), _keys.user_id != bindparam("user")
)
_REDACT: Final = (
    idempotency_keys.update()
    .where(_keys.tenant_id == bindparam("tenant"), _keys.id == bindparam("row"))
    .values(status=bindparam("new_status"), headers=bindparam("new_headers"), body=bindparam("new_body"))
)
# Also those whom a repeat may have read just before they were hidden, so that its answer was kept after the redaction.
_HIDDEN: Final = sa.union_all(
    sa.select(users.c.public_id).where(
        users.c.tenant_id == bindparam("tenant"), users.c.id != bindparam("user"), ~not_stopped(users)
    ),
    sa.select(erasures.c.subject_id).where(
        erasures.c.tenant_id == bindparam("tenant"),
        erasures.c.erased_at > bindparam("since", type_=erasures.c.erased_at.type),
    ),
)
_SHOWN_OF_REFUSALS: Final = ("type", "title", "status", "code", "requestId")
_REDACTED: Final = (
    "This request was answered before and is not repeated. Its answer named a person whose data is hidden. Read the "
    "current state."
)


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
    tx.execute(_REPLACE, {**key.parameters, **_as_kept(reply)})


@cache
def showing(patterns: int) -> sa.Select[Any]:
    """The stored answers of others whose body is like one of so many patterns, which are in lower case."""
    body = sa.func.lower(_keys.body)
    return _OF_OTHERS.where(
        sa.or_(*(body.like(bindparam(f"pattern_{number}", type_=_keys.body.type)) for number in range(patterns)))
    )


def redact(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID, *, but_of: int) -> None:
    """Takes the body of every stored answer that shows a person, but of their own, by their row.

    The person is found by their id in the body, which nobody has chosen.
    """
    shown = str(public_id)
    redact_where(tx, tenant_id, (f"%{shown}%",), lambda text: shown in text.lower(), but_of=but_of)


def redact_where(
    tx: sa.Connection, tenant_id: int, patterns: Sequence[str], shows: Callable[[str], bool], *, but_of: int
) -> None:
    """Takes the body of every stored answer that is like one of the patterns and shows somebody, but of their own.

    `shows` is asked about each text in the body, as it was before JSON escaped it.
    """
    likely = {f"pattern_{number}": pattern for number, pattern in enumerate(patterns)}
    rows = tx.execute(showing(len(patterns)), {"tenant": tenant_id, "user": but_of, **likely}).all()
    shown = (row for row in rows if any(map(shows, texts_in(row.body))))
    values = [{"tenant": tenant_id, "row": row.id, **_as_kept(_redacted(_reply(row)))} for row in shown]
    if values:
        tx.execute(_REDACT, values)


def texts_in(body: str) -> Iterator[str]:
    """Every text in a JSON document, names of fields too; of anything else the whole."""
    try:
        document = json.loads(body)
    except ValueError:
        return iter((body,))
    return _texts(document)


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        yield from _texts(list(value.values()))
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


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
    reply = _reply(row)
    hidden = tx.scalars(_HIDDEN, {"tenant": key.tenant_id, "user": key.user_id, "since": now - KEPT})
    if _shows(row.body, hidden):
        reply = _redacted(reply)
        replace(tx, key, reply)
    return Reply(reply.status, reply.body, {**reply.headers, "Idempotent-Replayed": "true"})


def _shows(body: str, people: Iterable[uuid.UUID]) -> bool:
    return any(str(public_id) in body for public_id in people)


def _reply(row: Any) -> Reply:  # noqa: ANN401 - a row of either statement
    return Reply(row.status, row.body.encode(), row.headers)


def _redacted(reply: Reply) -> Reply:
    """The answer without anything of what it showed."""
    if reply.status < HTTPStatus.BAD_REQUEST:
        return Reply(HTTPStatus.NO_CONTENT)
    refusal = json.loads(reply.body)
    shown = {name: refusal[name] for name in _SHOWN_OF_REFUSALS} | {"detail": _REDACTED}
    return Reply(reply.status, json.dumps(shown).encode(), {"Content-Type": reply.headers["Content-Type"]})


def _as_kept(reply: Reply) -> dict[str, Any]:
    return {
        "new_status": int(reply.status),
        "new_headers": dict(reply.headers),
        "new_body": reply.body.decode(),
    }
