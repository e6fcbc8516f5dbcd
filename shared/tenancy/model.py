"""The words of tenancy: tenant, user, role, plan and caller, as frozen values."""

import datetime as dt
import uuid
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo


class Role(StrEnum):
    USER = "user"
    ADMIN = "admin"
    SUPER_ADMIN = "super_admin"


class Plan(StrEnum):
    TRIAL = "trial"
    INTERNAL = "internal"
    PAID = "paid"


class TenantStatus(StrEnum):
    ACTIVE = "active"
    EXPIRED = "expired"  # of a trial; ask rules.status_at, since the job that writes it may not have run yet
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"


class AuthProvider(StrEnum):
    MICROSOFT = "microsoft"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Organization:
    """An Azure DevOps organization of a tenant; new time and write-backs go to active ones."""

    id: int
    public_id: uuid.UUID
    name: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class Tenant:
    id: int
    public_id: uuid.UUID
    name: str
    slug: str
    organization: str  # the name of the default one of its Azure DevOps organizations, which is active
    plan: Plan
    status: TenantStatus
    time_zone: str
    trial_ends_at: dt.datetime | None
    seats_used: int
    seat_limit: int | None
    write_back: bool  # hours go to Completed Work
    forgotten_timer_limit_ms: int
    lower_remaining_work: bool = False  # by what the write-back adds to Completed Work

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


@dataclass(frozen=True, slots=True)
class User:
    id: int
    public_id: uuid.UUID
    email: str
    display_name: str
    role: Role
    auth_provider: AuthProvider
    is_active: bool
    first_sign_in_at: dt.datetime | None
    last_sign_in_at: dt.datetime | None
    restricted_since: dt.datetime | None  # processing of their data is stopped, by restriction, objection or consent
    pending_role: Role | None = None  # takes force when a super admin confirms the person


@dataclass(frozen=True, slots=True)
class Caller:
    """The person who calls and the tenant they belong to, as the database has them in this transaction."""

    tenant: Tenant
    user: User
