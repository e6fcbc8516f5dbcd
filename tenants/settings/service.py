"""Changes a tenant's settings: only the version that was read, and on record."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from shared import audit
from shared.audit import Action
from shared.db.engine import is_unique_violation
from shared.errors import Conflict, PreconditionFailed
from shared.tenancy import organization_store
from shared.tenancy.model import Caller
from shared.tenancy.store import lock_tenant
from shared.work import Actor, Work
from tenants import slug_store
from tenants.organizations import service as organizations_service
from tenants.settings import store as settings_store
from tenants.settings.store import CHANGEABLE, TenantSettings
from tenants.slug_rules import is_reserved


_MOST_SLUGS: Final = 10  # of a tenant, ever: each is lost to all others
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
class Changed:
    """The settings as they are now, and what else that took, in a sentence for the person."""

    settings: TenantSettings
    notice: str | None = None


def change(
    tx: sa.Connection,
    caller: Caller,
    subject: dict[str, Any],
    *,
    versions: frozenset[int] | None,
    now: dt.datetime,
    new_id: Callable[[], uuid.UUID],
) -> Changed:
    """Changes the named columns of the caller's tenant; the zone there was is kept for bills.

    Another default organization is one that the tenant has, or a new one; time that there is stays where it is.

    Raises:
        PreconditionFailed: the tenant is of none of these versions, or somebody changes it meanwhile.
        Conflict: another tenant has or had the slug, nobody may have it, or the tenant has had as many as it may.
    """
    before = settings_store.read(tx, caller.tenant.id)
    if versions is not None and before.version not in versions:
        raise _changed()
    columns = _columns(before)
    subject, notice = _with_organization(tx, caller, subject, now=now, new_id=new_id)
    wanted = columns | subject
    if wanted == columns:
        return Changed(before)
    try:
        with tx.begin_nested():
            if wanted["slug"] != columns["slug"]:
                _reserve(tx, caller.tenant.id, columns["slug"], wanted["slug"], now=now)
            done = settings_store.change(tx, caller.tenant.id, version=before.version, values=wanted, now=now)
    except sa.exc.IntegrityError as error:
        if not is_unique_violation(error):
            raise
        raise _slug_taken("Another organization has or had this slug") from error
    if not done:
        raise _changed()
    if wanted["time_zone"] != columns["time_zone"]:
        settings_store.keep_zone(tx, caller.tenant.id, columns["time_zone"], until=now)
    changed = [name for name in subject if wanted[name] != columns[name]]
    audit.record_row(
        tx,
        caller.tenant.id,
        Action.TENANT_CHANGED,
        actor=Actor.user(caller.user.id),
        at=now,
        row_id=new_id(),
        before=_on_record({name: columns[name] for name in changed}),
        after=_on_record({name: wanted[name] for name in changed}) | {"changed": [_WIRE[name] for name in changed]},
    )
    return Changed(settings_store.read(tx, caller.tenant.id), notice)


def _reserve(tx: sa.Connection, tenant_id: int, old: str, new: str, *, now: dt.datetime) -> None:
    """Both stay the tenant's for ever; one that it had before it may take back, whatever it is.

    The tenant is held, so that two changes at once do not both count the slugs there were before.

    Raises:
        Conflict: nobody may have the new one, or the tenant has had as many as it may.
        sqlalchemy.exc.IntegrityError: another tenant has or had it.
    """
    lock_tenant(tx, tenant_id)
    own = slug_store.own(tx, tenant_id)
    if new not in own:
        if is_reserved(new):
            raise _slug_taken("This slug is reserved")
        if len(own | {old}) >= _MOST_SLUGS:
            raise Conflict(
                "Your organization has had ten slugs, which is the most, since each stays reserved for it. Take back "
                "one that it had; the audit log shows them.",
                code="slug_limit_reached",
            )
    for slug in {old, new} - own:
        slug_store.add(tx, tenant_id, slug, now=now)


def _slug_taken(why: str) -> Conflict:
    return Conflict(f"{why}. Choose another.", code="slug_taken")


def _with_organization(
    tx: sa.Connection, caller: Caller, subject: dict[str, Any], *, now: dt.datetime, new_id: Callable[[], uuid.UUID]
) -> tuple[dict[str, Any], str | None]:
    """The change with the default organization as the tenant spells it, which it has from now on; and what that took.

    Names that differ only in case are one.
    """
    name = subject.get("organization")
    if name is None:
        return subject, None
    if organization_store.organization_key(name) == organization_store.organization_key(caller.tenant.organization):
        return {**subject, "organization": caller.tenant.organization}, None
    organization, notice = organizations_service.ensure_default(
        Work(tx, caller.tenant, Actor.user(caller.user.id), now, new_id), name
    )
    return {**subject, "organization": organization.name}, notice


def _columns(settings: TenantSettings) -> dict[str, Any]:
    return {name: getattr(settings.tenant if hasattr(settings.tenant, name) else settings, name) for name in CHANGEABLE}


def _on_record(columns: dict[str, Any]) -> dict[str, Any]:
    """What the audit log may keep: a tenant's name and its admin's address may name a person."""
    kept = {_WIRE[name]: value for name, value in columns.items() if name not in {"name", "admin_email"}}
    if "forgotten_timer_limit_ms" in columns:
        kept["forgottenTimerLimitMinutes"] = columns["forgotten_timer_limit_ms"] // _MS_PER_MINUTE
    return kept


def _changed() -> PreconditionFailed:
    return PreconditionFailed("Somebody changed the settings in the meantime. Read them again and repeat the change.")
