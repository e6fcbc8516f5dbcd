"""Adds and changes a tenant's Azure DevOps organizations, and records each change.

Each function locks the tenant first, so that the default is always an active organization of the tenant.
"""

import uuid
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from shared import audit
from shared.audit import Action
from shared.errors import Conflict, NotFound
from shared.tenancy import organization_store as store
from shared.tenancy.model import Organization, Tenant
from shared.tenancy.organization_service import is_default
from shared.tenancy.store import lock_tenant
from shared.work import Work


@dataclass(frozen=True, slots=True)
class OrganizationChange:
    """None means no change."""

    name: str | None = None
    is_active: bool | None = None
    makes_default: bool = False


def add(work: Work, name: str) -> Organization:
    """Adds an active organization.

    Raises:
        Conflict: the tenant has an organization of this name.
    """
    lock_tenant(work.tx, work.tenant.id)
    added = store.add(work.tx, work.tenant.id, name=name, public_id=work.new_id(), now=work.now)
    if added is None:
        raise _exists(name)
    _record(work, Action.ORGANIZATION_ADDED, None, added)
    return added


def change(
    work: Work, public_id: uuid.UUID | None, organization_change: OrganizationChange
) -> tuple[Tenant, Organization]:
    """Changes an organization; returns it and the tenant after the change.

    A rename changes the row and its copies of the name. Logs keep the old name.

    Raises:
        NotFound: the tenant has no organization with this id.
        Conflict: another organization has the name, or the default would be inactive.
    """
    tenant = lock_tenant(work.tx, work.tenant.id)
    old = next((each for each in store.find_all(work.tx, tenant.id) if each.public_id == public_id), None)
    if old is None:
        raise NotFound("Your organization has no such Azure DevOps organization.")
    new = replace(
        old,
        name=old.name if organization_change.name is None else organization_change.name,
        is_active=old.is_active if organization_change.is_active is None else organization_change.is_active,
    )
    was_default = is_default(tenant, old)
    becomes_default = was_default or organization_change.makes_default
    if becomes_default and not new.is_active:
        raise Conflict(
            f"{new.name} is the default organization. Make another one the default first.",
            code="default_organization",
        )
    if new.name != old.name:
        _rename(work.tx, tenant, old, new)
        _record(work, Action.ORGANIZATION_RENAMED, old, new)
    if new.is_active != old.is_active:
        store.set_active(work.tx, tenant.id, old.id, is_active=new.is_active)
        action = Action.ORGANIZATION_ACTIVATED if new.is_active else Action.ORGANIZATION_DEACTIVATED
        _record(work, action, old, new)
    if becomes_default and new.name != tenant.organization:
        store.set_default(work.tx, tenant.id, name=new.name, now=work.now)
    if becomes_default and not was_default:
        _record_default(work, tenant.organization, new.name)
    return replace(tenant, organization=new.name if becomes_default else tenant.organization), new


def ensure_default(work: Work, name: str) -> tuple[Organization, str]:
    """Adds or activates the organization that becomes the default; returns it, and a notice about it for people."""
    tenant = lock_tenant(work.tx, work.tenant.id)
    stays = f"Time on {tenant.organization} stays there, and it stays active."
    new = store.add(work.tx, tenant.id, name=name, public_id=work.new_id(), now=work.now)
    if new is not None:
        _record(work, Action.ORGANIZATION_ADDED, None, new)
        return new, f"{new.name} was added and is the default now. {stays}"
    existing = store.find(work.tx, tenant.id, name)
    assert existing is not None, "it was not added, so it exists"  # noqa: S101 - an invariant of ours
    if existing.is_active:
        return existing, f"{existing.name} is the default organization now. {stays}"
    active = replace(existing, is_active=True)
    store.set_active(work.tx, tenant.id, existing.id, is_active=True)
    _record(work, Action.ORGANIZATION_ACTIVATED, existing, active)
    return active, f"{existing.name} is active again and is the default now. {stays}"


def _rename(tx: sa.Connection, tenant: Tenant, old: Organization, new: Organization) -> None:
    other = store.find(tx, tenant.id, new.name)
    if other is not None and other.id != old.id:
        raise _exists(new.name)
    store.rename(tx, tenant.id, old, name=new.name)


def _exists(name: str) -> Conflict:
    return Conflict(f"{name} is one of your Azure DevOps organizations already.", code="organization_exists")


def _record(work: Work, action: Action, old: Organization | None, new: Organization) -> None:
    audit.record(work, action, before=None if old is None else _fields(old), after=_fields(new))


def _record_default(work: Work, old: str, new: str) -> None:
    """The default is one of the settings."""
    name = "azureDevOpsOrganization"
    audit.record(work, Action.TENANT_CHANGED, before={name: old}, after={name: new, "changed": [name]})


def _fields(organization: Organization) -> dict[str, Any]:
    return {"organization": organization.name, "isActive": organization.is_active}
