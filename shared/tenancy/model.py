"""Tenant, user, role, plan and caller."""

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
    EXPIRED = "expired"  # a trial; see rules.status_at, since the job that stores it may be late
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"


class AuthProvider(StrEnum):
    MICROSOFT = "microsoft"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Organization:
    """An Azure DevOps organization of a tenant; only active ones get new time and write-backs."""

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
    organization: str  # name of the default Azure DevOps organization, which is active
    plan: Plan
    status: TenantStatus
    time_zone: str
    trial_ends_at: dt.datetime | None
    seats_used: int
    seat_limit: int | None
    write_back: bool  # hours are written to Completed Work
    forgotten_timer_limit_ms: int
    lower_remaining_work: bool = False  # by the hours added to Completed Work

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
    restricted_since: dt.datetime | None  # processing is stopped by restriction, objection or withdrawn consent
    pending_role: Role | None = None  # applies when a super admin confirms the person


@dataclass(frozen=True, slots=True)
class Caller:
    """The calling user and their tenant, read in this transaction."""

    tenant: Tenant
    user: User
