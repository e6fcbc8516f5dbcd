"""What one transaction has in common: the connection, the tenant, the actor, the instant and the source of ids."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

import sqlalchemy as sa

from shared.tenancy.model import Tenant


NewId = Callable[[], uuid.UUID]


class ActorKind(StrEnum):
    USER = "user"
    OPERATOR = "operator"  # the vendor's staff, by the command line
    SERVICE = "service"  # a job
    ANONYMOUS = "stranger"  # somebody without an account


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes the change; `user_id` is the row of a user, None for the other kinds."""

    kind: ActorKind
    user_id: int | None = None

    @classmethod
    def user(cls, user_id: int) -> Self:
        return cls(ActorKind.USER, user_id)


OPERATOR: Final = Actor(ActorKind.OPERATOR)
SERVICE: Final = Actor(ActorKind.SERVICE)
ANONYMOUS: Final = Actor(ActorKind.ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Work:
    """One transaction of one tenant. Made by a call, by a job's turn and by an operator's command.

    `tenant` is the row as it was read in this transaction; `now` is the one instant of everything that is written.
    """

    tx: sa.Connection
    tenant: Tenant
    actor: Actor
    now: dt.datetime
    new_id: NewId
