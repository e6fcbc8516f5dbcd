"""What the rows of a new tenant and of a new user are made of."""

import datetime as dt
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from shared.auth.tokens import Principal
from shared.tenancy.model import AuthProvider, Plan, Role, TenantStatus
from shared.text import shortened


NewId = Callable[[], uuid.UUID]
EMAIL: Final = 320  # characters the column takes


@dataclass(frozen=True, slots=True)
class NewTenant:
    name: str
    organization: str
    time_zone: str


def of_tenant(
    principal: Principal, subject: NewTenant, *, trial_days: int | None, now: dt.datetime, new_id: NewId
) -> dict[str, Any]:
    plan = Plan.INTERNAL if trial_days is None else Plan.TRIAL
    return {
        "public_id": new_id(),
        "entra_tenant_id": uuid.UUID(principal.tid),
        "slug": slug(subject.name, new_id()),
        "name": subject.name,
        "organization": subject.organization,
        "admin_email": email(principal),
        "plan_kind": plan.value,
        "status": TenantStatus.ACTIVE.value,
        "time_zone": subject.time_zone,
        "trial_started_at": None if trial_days is None else now,
        "trial_ends_at": None if trial_days is None else now + dt.timedelta(days=trial_days),
        "seats_used": 1,
        "seat_limit": None,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }


def of_user(principal: Principal, role: Role, *, now: dt.datetime, new_id: NewId) -> dict[str, Any]:
    return {
        "public_id": new_id(),
        "entra_object_id": uuid.UUID(principal.oid),
        "email": email(principal),
        "display_name": display_name(principal),
        "role": role.value,
        "auth_provider": AuthProvider.MICROSOFT.value,
        "is_active": True,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }


def address(principal: Principal) -> str | None:
    """The address that the directory gives a person now: the name they sign in with, else a verified e-mail."""
    given = principal.username or principal.email
    return None if given is None else shortened(given, EMAIL)


def email(principal: Principal) -> str:
    """The address that a person is shown by; one without any is known by their object id."""
    return address(principal) or principal.oid


def display_name(principal: Principal) -> str:
    return shortened(principal.name or email(principal), 200)


def directory_name(principal: Principal) -> str | None:
    """The name that the directory gives, which its people cannot change; a guest's is another directory's, so none."""
    return None if principal.is_guest or principal.name is None else shortened(principal.name, 200)


def address_key(address: str) -> str | None:
    """An address as an invitation is matched by it, in lower case; None where it has letters beyond ASCII.

    Nothing else is folded or trimmed: what only looks like an address, or becomes it under some rule of Unicode, is
    another one. Entra takes no other letters in the names that people sign in with. The databases are not asked, since
    each has its own `lower` for other letters: some make a plain k of the Kelvin sign.
    """
    return address.lower() if address.isascii() else None


def is_same_address(one: str, other: str) -> bool:
    """By their keys; an address with letters beyond ASCII is the same as itself alone."""
    return one == other or (one.isascii() and address_key(one) == address_key(other))


def slug(name: str, unique: uuid.UUID) -> str:
    """A short name for addresses: the tenant's name in plain letters, and a random piece to be unique."""
    words = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:40].strip("-")
    piece = unique.hex[:8]
    return f"{words}-{piece}" if words else piece
