"""Stores the reply to a request with an Idempotency-Key, in the transaction of its work.

The row is written last. Its unique key decides between two requests at once: the second undoes its own work and gets
the reply of the first. So a key costs the first request one statement, and a crash leaves work and reply, or neither.

A stored reply that shows a person whose data was hidden later, by a restriction or an erasure, loses its body. The key
stays, so that a repeat does nothing: it gets 204, or, if the reply was an error, its status and code.
"""

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, Final, Self

import azure.functions as func
import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import erasures, idempotency_keys, users
from shared.db.statements import InsertIfAbsent
from shared.errors import IdempotencyKeyReused
from shared.http.reply import Reply
from shared.tenancy.model import Caller
from shared.tenancy.store import not_restricted


KEY_LIFETIME: Final = dt.timedelta(hours=48)
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
_OF_KEY = (
    _keys.tenant_id == bindparam("tenant"),
    _keys.user_id == bindparam("user"),
    _keys.operation == bindparam("of"),
    _keys.idempotency_key == bindparam("key"),
)
_FIND = sa.select(_keys.fingerprint, _keys.status, _keys.headers, _keys.body, _keys.created_at).where(*_OF_KEY)
_REPLACE = (
    idempotency_keys.update()
    .where(*_OF_KEY)
    .values(status=bindparam("new_status"), headers=bindparam("new_headers"), body=bindparam("new_body"))
)
_DELETE = idempotency_keys.delete().where(*_OF_KEY)
_OF_OTHERS: Final = sa.select(_keys.id, _keys.status, _keys.headers, _keys.body).where(
    _keys.tenant_id == bindparam("tenant"), _keys.user_id != bindparam("user")
)
_REDACT: Final = (
    idempotency_keys.update()
    .where(_keys.tenant_id == bindparam("tenant"), _keys.id == bindparam("row"))
    .values(status=bindparam("new_status"), headers=bindparam("new_headers"), body=bindparam("new_body"))
)
# With people erased in the last 48 hours: a request may have read them before and stored its reply after.
_HIDDEN: Final = sa.union_all(
    sa.select(users.c.public_id).where(
        users.c.tenant_id == bindparam("tenant"), users.c.id != bindparam("user"), ~not_restricted(users)
    ),
    sa.select(erasures.c.subject_id).where(
        erasures.c.tenant_id == bindparam("tenant"),
        erasures.c.erased_at > bindparam("since", type_=erasures.c.erased_at.type),
    ),
)
_FIELDS_OF_ERRORS: Final = ("type", "title", "status", "code", "requestId")
_REDACTED: Final = (
    "This request was processed before and is not repeated. Its result named a person whose data is now hidden. Read "
    "the current state."
)


class KeyTaken(Exception):
    """Another request with this key has stored its reply, so the work of this one must be undone."""


@dataclass(frozen=True, slots=True)
class RequestKey:
    tenant_id: int
    user_id: int
    operation: str
    key: str
    fingerprint: str

    @property
    def parameters(self) -> dict[str, Any]:
        return {"tenant": self.tenant_id, "user": self.user_id, "of": self.operation, "key": self.key}

    @classmethod
    def of(cls, request: func.HttpRequest, operation: str, key: str, caller: Caller) -> Self:
        path = request.url.partition("://")[2].partition("/")[2]
        fingerprint = hashlib.sha256(path.encode() + b"\0" + request.get_body()).hexdigest()
        return cls(caller.tenant.id, caller.user.id, operation, key, fingerprint)


def store(tx: sa.Connection, key: RequestKey, reply: Reply, *, now: dt.datetime) -> None:
    """Stores the reply to a request.

    Raises:
        KeyTaken: the key has one already.
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
    """Replaces the reply that was stored for this request."""
    tx.execute(_REPLACE, {**key.parameters, **_to_values(reply)})


@cache
def select_matching(patterns: int) -> sa.Select[Any]:
    """The stored replies to others whose body matches one of so many lower-case LIKE patterns."""
    body = sa.func.lower(_keys.body)
    return _OF_OTHERS.where(
        sa.or_(*(body.like(bindparam(f"pattern_{number}", type_=_keys.body.type)) for number in range(patterns)))
    )


def redact(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID, *, but_of: int) -> None:
    """Removes the body of every stored reply that shows a person, found by their random id.

    `but_of` is the person's own row: replies to themselves stay.
    """
    person = str(public_id)
    redact_where(tx, tenant_id, (f"%{person}%",), lambda text: person in text.lower(), but_of=but_of)


def redact_where(
    tx: sa.Connection, tenant_id: int, patterns: Sequence[str], shows: Callable[[str], bool], *, but_of: int
) -> None:
    """Removes the body of every stored reply that matches one of the LIKE patterns and has a text that `shows` accepts.

    `shows` gets each text of the body without JSON's escapes. Replies to the user `but_of` stay.
    """
    likely = {f"pattern_{number}": pattern for number, pattern in enumerate(patterns)}
    rows = tx.execute(select_matching(len(patterns)), {"tenant": tenant_id, "user": but_of, **likely}).all()
    matching = (row for row in rows if any(map(shows, texts_in(row.body))))
    values = [{"tenant": tenant_id, "row": row.id, **_to_values(_redact(_to_reply(row)))} for row in matching]
    if values:
        tx.execute(_REDACT, values)


def texts_in(body: str) -> Iterator[str]:
    """Every text in a JSON document, with the names of fields; anything else is one text."""
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


def lookup(tx: sa.Connection, key: RequestKey, *, now: dt.datetime) -> Reply | None:
    """The stored reply, if there is one. After 48 hours it is deleted, and the key is free again.

    Raises:
        IdempotencyKeyReused: the key was used for another request.
    """
    row = tx.execute(_FIND, key.parameters).first()
    if row is None:
        return None
    if now - row.created_at >= KEY_LIFETIME:
        tx.execute(_DELETE, key.parameters)
        return None
    if row.fingerprint != key.fingerprint:
        raise IdempotencyKeyReused("This idempotency key was used for another request. Use a new key for each request.")
    reply = _to_reply(row)
    hidden = tx.scalars(_HIDDEN, {"tenant": key.tenant_id, "user": key.user_id, "since": now - KEY_LIFETIME})
    if _shows(row.body, hidden):
        reply = _redact(reply)
        replace(tx, key, reply)
    return Reply(reply.status, reply.body, {**reply.headers, "Idempotent-Replayed": "true"})


def _shows(body: str, people: Iterable[uuid.UUID]) -> bool:
    return any(str(public_id) in body for public_id in people)


def _to_reply(row: Any) -> Reply:  # noqa: ANN401 - a row of either statement
    return Reply(row.status, row.body.encode(), row.headers)


def _redact(reply: Reply) -> Reply:
    """The reply without personal data."""
    if reply.status < HTTPStatus.BAD_REQUEST:
        return Reply(HTTPStatus.NO_CONTENT)
    document = json.loads(reply.body)
    redacted = {name: document[name] for name in _FIELDS_OF_ERRORS} | {"detail": _REDACTED}
    return Reply(reply.status, json.dumps(redacted).encode(), {"Content-Type": reply.headers["Content-Type"]})


def _to_values(reply: Reply) -> dict[str, Any]:
    return {
        "new_status": int(reply.status),
        "new_headers": dict(reply.headers),
        "new_body": reply.body.decode(),
    }
