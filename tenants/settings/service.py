"""Changes a tenant's settings if nobody else changed them meanwhile, and records the change."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from shared import audit
from shared.audit import Action
from shared.db.engine import is_unique_violation
from shared.errors import Conflict, PreconditionFailed
from shared.tenancy import organization_store
from shared.tenancy.store import lock_tenant
from shared.work import Work
from tenants import slug_store
from tenants.organizations import service as organizations_service
from tenants.settings import store as settings_store
from tenants.settings.store import EDITABLE, EditableSettings, TenantSettings
from tenants.slug_rules import is_reserved


_MOST_SLUGS: Final = 10  # of one tenant, ever: no other tenant can have them
_MS_PER_MINUTE: Final = 60_000
_WIRE: Final = {
    "name": "name",
    "slug": "slug",
    "time_zone": "timeZone",
    "organization": "azureDevOpsOrganization",
    "admin_email": "adminEmail",
    "forgotten_timer_limit_ms": "forgottenTimerLimitMinutes",
    "write_back": "writeBack",
    "lower_remaining_work": "lowerRemainingWork",
}


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """New values of settings; None means no change."""

    name: str | None = None
    slug: str | None = None
    time_zone: str | None = None
    organization: str | None = None
    admin_email: str | None = None
    forgotten_timer_limit_ms: int | None = None
    write_back: bool | None = None
    lower_remaining_work: bool | None = None

    def apply(self, settings: EditableSettings) -> EditableSettings:
        return replace(settings, **{name: value for name, value in asdict(self).items() if value is not None})


@dataclass(frozen=True, slots=True)
class ChangedSettings:
    """The settings after a change, and a sentence for the person about other consequences."""

    settings: TenantSettings
    notice: str | None = None


def change(work: Work, settings_change: SettingsChange, *, versions: frozenset[int] | None) -> ChangedSettings:
    """Changes settings of the tenant. The previous time zone is kept, since the current bill uses it.

    A new default organization is one of the tenant's or is added; existing time stays where it is.

    Raises:
        PreconditionFailed: the version is another one, or somebody changes the settings at the same time.
        Conflict: another tenant has or had the slug, the slug is reserved, or the tenant has had too many.
    """
    tx, tenant_id, now = work.tx, work.tenant.id, work.now
    before = settings_store.read(tx, tenant_id)
    if versions is not None and before.version not in versions:
        raise _changed_meanwhile()
    settings_change, notice = _with_organization(work, settings_change)
    old, new = before.editable, settings_change.apply(before.editable)
    if new == old:
        return ChangedSettings(before)
    try:
        with tx.begin_nested():
            if new.slug != old.slug:
                _reserve_slugs(tx, tenant_id, old.slug, new.slug, now=now)
            is_current = settings_store.change(tx, tenant_id, new, version=before.version, now=now)
    except sa.exc.IntegrityError as error:
        if not is_unique_violation(error):
            raise
        raise _slug_taken("Another organization has or had this slug") from error
    if not is_current:
        raise _changed_meanwhile()
    if new.time_zone != old.time_zone:
        settings_store.add_previous_zone(tx, tenant_id, old.time_zone, until=now)
    changed = [name for name in EDITABLE if getattr(new, name) != getattr(old, name)]
    audit.record(
        work,
        Action.TENANT_CHANGED,
        before=_to_audit(old, changed),
        after=_to_audit(new, changed) | {"changed": [_WIRE[name] for name in changed]},
    )
    return ChangedSettings(settings_store.read(tx, tenant_id), notice)


def _reserve_slugs(tx: sa.Connection, tenant_id: int, old: str, new: str, *, now: dt.datetime) -> None:
    """Reserves both slugs for the tenant forever. It may return to one of its former slugs.

    The tenant is locked, so that concurrent changes do not exceed the limit together.

    Raises:
        Conflict: the new slug is reserved for nobody, or the tenant has had too many.
        sqlalchemy.exc.IntegrityError: another tenant has or had it.
    """
    lock_tenant(tx, tenant_id)
    own = slug_store.find_own(tx, tenant_id)
    if new not in own:
        if is_reserved(new):
            raise _slug_taken("This slug is reserved")
        if len(own | {old}) >= _MOST_SLUGS:
            raise Conflict(
                "Your organization has used ten slugs, which is the limit, since each stays reserved for it. Return to "
                "a former one; the audit log shows them.",
                code="slug_limit_reached",
            )
    for slug in {old, new} - own:
        slug_store.add(tx, tenant_id, slug, now=now)


def _slug_taken(reason: str) -> Conflict:
    return Conflict(f"{reason}. Choose another.", code="slug_taken")


def _with_organization(work: Work, settings_change: SettingsChange) -> tuple[SettingsChange, str | None]:
    """The change with the default organization in the tenant's spelling, which exists from now on, and a notice.

    Names that differ only in case are one.
    """
    name, default = settings_change.organization, work.tenant.organization
    if name is None:
        return settings_change, None
    if organization_store.organization_key(name) == organization_store.organization_key(default):
        return replace(settings_change, organization=default), None
    organization, notice = organizations_service.ensure_default(work, name)
    return replace(settings_change, organization=organization.name), notice


def _to_audit(settings: EditableSettings, names: Iterable[str]) -> dict[str, Any]:
    """The values for the audit log, without the tenant's name and the admin's address, which may name a person."""
    values = {_WIRE[name]: getattr(settings, name) for name in names if name not in {"name", "admin_email"}}
    if (limit := _WIRE["forgotten_timer_limit_ms"]) in values:
        values[limit] //= _MS_PER_MINUTE
    return values


def _changed_meanwhile() -> PreconditionFailed:
    return PreconditionFailed("Somebody changed the settings in the meantime. Reload them and repeat the change.")
