"""The rows of a new tenant and of a new user, and the parts of them that come from a token."""

import datetime as dt
import re
import uuid
from dataclasses import dataclass
from typing import Final

from shared.auth.tokens import Principal
from shared.tenancy.model import Plan, Role
from shared.text import shortened
from shared.work import NewId


EMAIL: Final = 320  # characters of the column


@dataclass(frozen=True, slots=True)
class NewTenant:
    """The choices of the person who registers a directory."""

    name: str
    organization: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class TenantRow:
    """A tenant to insert, active and with one user."""

    public_id: uuid.UUID
    entra_tenant_id: uuid.UUID
    slug: str
    name: str
    organization: str
    admin_email: str
    plan: Plan
    time_zone: str
    trial_ends_at: dt.datetime | None
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user to insert, active and known to the directory."""

    public_id: uuid.UUID
    entra_object_id: uuid.UUID
    email: str
    display_name: str
    role: Role
    created_at: dt.datetime


def build_tenant(
    principal: Principal, new: NewTenant, *, trial_days: int | None, now: dt.datetime, new_id: NewId
) -> TenantRow:
    """On a trial, or without `trial_days` on the internal plan."""
    return TenantRow(
        public_id=new_id(),
        entra_tenant_id=uuid.UUID(principal.tid),
        slug=slug(new.name, new_id()),
        name=new.name,
        organization=new.organization,
        admin_email=email(principal),
        plan=Plan.INTERNAL if trial_days is None else Plan.TRIAL,
        time_zone=new.time_zone,
        trial_ends_at=None if trial_days is None else now + dt.timedelta(days=trial_days),
        created_at=now,
    )


def build_user(principal: Principal, role: Role, *, now: dt.datetime, new_id: NewId) -> UserRow:
    return UserRow(
        public_id=new_id(),
        entra_object_id=uuid.UUID(principal.oid),
        email=email(principal),
        display_name=display_name(principal),
        role=role,
        created_at=now,
    )


def address(principal: Principal) -> str | None:
    """The person's current address in the directory: the name they sign in with, else a verified e-mail."""
    name = principal.username or principal.email
    return None if name is None else shortened(name, EMAIL)


def email(principal: Principal) -> str:
    """The address to show; the object id where the directory gives none."""
    return address(principal) or principal.oid


def display_name(principal: Principal) -> str:
    return shortened(principal.name or email(principal), 200)


def directory_name(principal: Principal) -> str | None:
    """The name from the directory, which the person cannot change; None for guests, who come from another directory."""
    return None if principal.is_guest or principal.name is None else shortened(principal.name, 200)


def address_key(address: str) -> str | None:
    """An address in lower case, for matching invitations; None where it has letters beyond ASCII.

    Nothing else is folded or trimmed: an address that only looks the same, or becomes the same under some rule of
    Unicode, is another one. Entra allows no other letters in the names that people sign in with. The databases do not
    compare, since each has its own `lower` for other letters: some turn the Kelvin sign into a plain k.
    """
    return address.lower() if address.isascii() else None


def is_same_address(one: str, other: str) -> bool:
    """Compares keys; an address with letters beyond ASCII equals only itself."""
    return one == other or (one.isascii() and address_key(one) == address_key(other))


def slug(name: str, unique: uuid.UUID) -> str:
    """A short name for URLs: the tenant's name in plain letters and a random part."""
    words = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:40].strip("-")
    part = unique.hex[:8]
    return f"{words}-{part}" if words else part
