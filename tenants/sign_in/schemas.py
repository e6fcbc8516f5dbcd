"""Requests for a trial, and responses to a sign-in."""

import datetime as dt
from collections.abc import Iterable
from typing import Self

from pydantic import Field

from shared.errors import Forbidden
from shared.http.wire import Instant, Name, WireModel
from shared.tenancy import model
from shared.tenancy.organization_service import is_default
from shared.tenancy.rules import Refusal, processing_restricted, status_at, tracking_refusal, trial_days_left
from tenants.new_rows import NewTenant
from tenants.time_zones import TimeZone
from timers import Organization, RunningTimer, TimeEntry


class CreateTenant(WireModel):
    name: Name = Field(examples=["Contoso"])
    azure_dev_ops_organization: Organization
    time_zone: TimeZone

    def to_new_tenant(self) -> NewTenant:
        return NewTenant(self.name, self.azure_dev_ops_organization, self.time_zone)


class User(WireModel):
    id: str
    email: str
    display_name: str
    role: model.Role
    auth_provider: model.AuthProvider
    is_active: bool

    @classmethod
    def of(cls, user: model.User) -> Self:
        return cls(
            id=str(user.public_id),
            email=user.email,
            display_name=user.display_name,
            role=user.role,
            auth_provider=user.auth_provider,
            is_active=user.is_active,
        )


class AzureDevOpsOrganization(WireModel):
    """An organization of a tenant; time can be tracked in active ones."""

    id: str
    name: str
    is_active: bool
    is_default: bool

    @classmethod
    def of(cls, organization: model.Organization, tenant: model.Tenant) -> Self:
        return cls(
            id=str(organization.public_id),
            name=organization.name,
            is_active=organization.is_active,
            is_default=is_default(tenant, organization),
        )


class Tenant(WireModel):
    id: str
    name: str
    slug: str
    azure_dev_ops_organization: str = Field(description="name of the default organization")
    organizations: list[AzureDevOpsOrganization]
    plan: model.Plan
    status: model.TenantStatus
    time_zone: str
    trial_ends_at: Instant | None = None
    trial_days_left: int | None = Field(None, description="remaining days of the trial, with the current one", ge=0)
    seats_used: int
    seat_limit: int | None = None

    @classmethod
    def of(
        cls,
        tenant: model.Tenant,
        organizations: Iterable[model.Organization],
        *,
        seat_limit: int | None,
        now: dt.datetime,
    ) -> Self:
        return cls(
            id=str(tenant.public_id),
            name=tenant.name,
            slug=tenant.slug,
            azure_dev_ops_organization=tenant.organization,
            organizations=[AzureDevOpsOrganization.of(each, tenant) for each in organizations],
            plan=tenant.plan,
            status=status_at(tenant, now),
            time_zone=tenant.time_zone,
            trial_ends_at=tenant.trial_ends_at,
            trial_days_left=trial_days_left(tenant, now),
            seats_used=tenant.seats_used,
            seat_limit=seat_limit,
        )


class Entitlements(WireModel):
    can_track: bool
    reason: str | None = Field(None, description="code of the refusal, if time cannot be tracked")
    detail: str | None = Field(None, description="explanation of the refusal, for people")

    @classmethod
    def of(cls, caller: model.Caller, *, now: dt.datetime) -> Self:
        refusal: Refusal | Forbidden | None = tracking_refusal(caller.tenant, now)
        if refusal is None and caller.user.restricted_since is not None:
            refusal = processing_restricted(own=True)
        return cls.of_refusal(refusal)

    @classmethod
    def of_refusal(cls, refusal: Refusal | Forbidden | None) -> Self:
        if refusal is None:
            return cls(can_track=True)
        return cls(can_track=False, reason=refusal.code, detail=refusal.detail)


class SignIn(WireModel):
    user: User
    tenant: Tenant
    entitlements: Entitlements
    running_timer: RunningTimer | None = None
    needs_review: list[TimeEntry]


class Session(WireModel):
    user: User | None = Field(None, description="absent before the first sign-in")
    tenant: Tenant | None = Field(None, description="absent without an account if the first sign-in would be refused")
    entitlements: Entitlements = Field(description="before the first sign-in: those that it would give")
    has_invitation: bool = Field(description="whether the first sign-in would claim an invitation")
    running_timer: RunningTimer | None = None
    needs_review: list[TimeEntry]
    server_time: Instant


class RenameMe(WireModel):
    display_name: Name


class Me(User):
    time_zone: str
    first_sign_in_at: Instant | None = None
    last_sign_in_at: Instant | None = None

    @classmethod
    def of_caller(cls, caller: model.Caller) -> Self:
        user = caller.user
        return cls(
            **dict(User.of(user)),
            time_zone=caller.tenant.time_zone,
            first_sign_in_at=user.first_sign_in_at,
            last_sign_in_at=user.last_sign_in_at,
        )
