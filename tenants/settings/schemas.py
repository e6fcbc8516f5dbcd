"""Settings and audit log in requests and responses."""

import datetime as dt
import re
import uuid
from collections.abc import Iterable
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, model_validator

from shared.audit import Action
from shared.db.documents import UNREADABLE
from shared.http.log_query import LogPageQuery
from shared.http.paging import NEXT_LINK
from shared.http.wire import Instant, Name, PersonName, WireModel, json_schema_pattern
from shared.money import MONTH, amount_text
from shared.tenancy.model import Organization
from tenants.people.schemas import Address
from tenants.settings.audit_store import AuditRow
from tenants.settings.service import SettingsChange
from tenants.settings.store import TenantSettings
from tenants.sign_in.schemas import Tenant
from tenants.time_zones import TimeZone
from timers import Organization as OrganizationName


_MS_PER_MINUTE: Final = 60_000
_SLUG: Final = re.compile(r"\A[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?\Z")


def _slug(value: str) -> str:
    if not _SLUG.match(value):
        raise ValueError("must be lower-case letters, digits and hyphens, at most 64, without a hyphen at either end")
    return value


Slug = Annotated[
    str,
    AfterValidator(_slug),
    Field(max_length=64, examples=["contoso"], json_schema_extra={"pattern": json_schema_pattern(_SLUG)}),
]


class PlanDetail(WireModel):
    """The purchase, for super admins."""

    rate_per_user: str | None = Field(None, description="a decimal number in `currency`", examples=["13.50"])
    rate_unit: str | None = Field(
        None, description="period that the rate pays for, as an ISO 8601 duration", examples=["P1M"]
    )
    currency: str | None = None
    subscription_id: str | None = None
    users_at_purchase: int | None = None
    trial_started_at: Instant | None = None


class TenantDetail(Tenant):
    """`version` is also the ETag."""

    admin_email: str | None = None
    forgotten_timer_limit_minutes: int
    write_back: bool
    lower_remaining_work: bool = Field(description="whether written-back hours also lower Remaining Work")
    plan_detail: PlanDetail | None = None
    version: int
    notice: str | None = Field(None, description="in the response to a change: its other consequences, for people")

    @classmethod
    def of_settings(
        cls,
        settings: TenantSettings,
        organizations: Iterable[Organization],
        *,
        seat_limit: int | None,
        now: dt.datetime,
        with_plan: bool,
        notice: str | None = None,
    ) -> Self:
        tenant = Tenant.of(settings.tenant, organizations, seat_limit=seat_limit, now=now)
        return cls(
            **dict(tenant),
            admin_email=settings.editable.admin_email,
            forgotten_timer_limit_minutes=settings.editable.forgotten_timer_limit_ms // _MS_PER_MINUTE,
            write_back=settings.editable.write_back,
            lower_remaining_work=settings.editable.lower_remaining_work,
            plan_detail=_plan(settings) if with_plan else None,
            version=settings.version,
            notice=notice,
        )


def _plan(settings: TenantSettings) -> PlanDetail:
    return PlanDetail(
        rate_per_user=amount_text(settings.rate_per_user, settings.currency),
        rate_unit=None if settings.rate_per_user is None else settings.rate_unit or MONTH,
        currency=settings.currency,
        subscription_id=None if settings.subscription_id is None else str(settings.subscription_id),
        users_at_purchase=settings.users_at_purchase,
        trial_started_at=settings.trial_started_at,
    )


class ChangeTenant(WireModel):
    name: Name | None = None
    slug: Slug | None = None
    time_zone: TimeZone | None = None
    azure_dev_ops_organization: OrganizationName | None = Field(
        None, description="the default organization, an existing or a new one; to rename one, change the organization"
    )
    admin_email: Address | None = None
    forgotten_timer_limit_minutes: Annotated[int, Field(ge=15, le=24 * 60)] | None = None
    write_back: bool | None = None
    lower_remaining_work: bool | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError("must change something")
        return self

    def to_change(self) -> SettingsChange:
        minutes = self.forgotten_timer_limit_minutes
        return SettingsChange(
            name=self.name,
            slug=self.slug,
            time_zone=self.time_zone,
            organization=self.azure_dev_ops_organization,
            admin_email=self.admin_email,
            forgotten_timer_limit_ms=None if minutes is None else minutes * _MS_PER_MINUTE,
            write_back=self.write_back,
            lower_remaining_work=self.lower_remaining_work,
        )


class AuditQuery(LogPageQuery):
    user: str | None = Field(None, description="`me`, or the id of a person; only rows by or about them")
    action: Action | None = Field(None, description="only this action")


class AuditItem(WireModel):
    id: str
    at: Instant
    actor_kind: str = Field(
        description="user, operator (the vendor's staff), service (a job) or stranger (a person without an account)"
    )
    actor_id: str | None = None
    actor: PersonName | None = None
    action: str
    subject_user_id: str | None = None
    subject_user: PersonName | None = None
    before: dict[str, Any] | None = Field(None, description='`{"unreadable": true}` if it is damaged')
    after: dict[str, Any] | None = Field(None, description="as before")

    @classmethod
    def of(cls, row: AuditRow) -> Self:
        return cls(
            id=str(row.id),
            at=row.at,
            actor_kind=row.actor_kind,
            actor_id=None if row.actor_id is None else str(row.actor_id),
            actor=_person(row.actor_id, row.actor_name),
            action=row.action,
            subject_user_id=None if row.subject_user_id is None else str(row.subject_user_id),
            subject_user=_person(row.subject_user_id, row.subject_name),
            before=_to_document(row.before),
            after=_to_document(row.after),
        )


def _person(public_id: uuid.UUID | None, name: str | None) -> PersonName | None:
    return None if public_id is None else PersonName(id=str(public_id), display_name=name)


def _to_document(stored: object) -> dict[str, Any] | None:
    return stored if stored is None or isinstance(stored, dict) else dict(UNREADABLE)


class AuditPage(WireModel):
    items: list[AuditItem]
    next_link: str | None = NEXT_LINK
