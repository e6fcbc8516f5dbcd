"""Whose time somebody may ask for: their own, and as an admin everybody's."""

import uuid

import sqlalchemy as sa

from shared.errors import NotFound
from shared.http.parsing import public_id
from shared.tenancy.model import Caller
from shared.tenancy.rules import processing_restricted
from timers import access_store


def whose(tx: sa.Connection, caller: Caller, wanted: str | None, *, sees_everyone: bool) -> int | None:
    """The one user whose rows are wanted; None is everyone's.

    Raises:
        NotFound: what somebody may not see is not there for them.
    """
    if wanted is None and sees_everyone:
        return None
    return one(tx, caller, wanted, sees_everyone=sees_everyone)


def one(tx: sa.Connection, caller: Caller, wanted: str | None, *, sees_everyone: bool) -> int:
    """The user of an id on the wire; without one, the caller.

    Raises:
        NotFound: as `whose`.
        Forbidden: the person has had the processing of their data stopped.
    """
    own = caller.user
    if wanted is None or wanted == str(own.public_id):
        return own.id
    found = None
    if sees_everyone and (public := public_id(wanted)) is not None:
        found = access_store.find_user(tx, caller.tenant.id, public)
    if found is None:
        raise NotFound("There is no such person in your organisation.")
    user_id, restricted_since = found
    if restricted_since is not None:
        raise processing_restricted()
    return user_id


def may_see(tx: sa.Connection, caller: Caller, user_id: int, *, sees_everyone: bool) -> bool:
    """Whether a person's entries are there for the caller.

    Raises:
        Forbidden: the person has had the processing of their data stopped.
    """
    if user_id == caller.user.id:
        return True
    if sees_everyone and access_store.is_restricted(tx, caller.tenant.id, user_id):
        raise processing_restricted()
    return sees_everyone


def public_id_of(tx: sa.Connection, caller: Caller, user_id: int) -> uuid.UUID:
    """A user's id on the wire; the caller's own costs nothing."""
    if user_id == caller.user.id:
        return caller.user.public_id
    return access_store.public_id_of(tx, caller.tenant.id, user_id)
