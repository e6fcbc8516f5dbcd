"""Adds, renames, activates and deactivates a tenant's Azure DevOps organizations, and makes one the default, on record.

Each locks the tenant's row first, so that the default is always one of the tenant's, and active.
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
    """None leaves as it is."""

    name: str | None = None
    is_active: bool | None = None
    makes_default: bool = False


def add(work: Work, name: str) -> Organization:
    """A new active organization beside the others.

    Raises:
        Conflict: the tenant has one of this name.
    """
    lock_tenant(work.tx, work.tenant.id)
    added = store.add(work.tx, work.tenant.id, name=name, public_id=work.new_id(), now=work.now)
    if added is None:
        raise _exists(name)
    _record(work, Action.ORGANIZATION_ADDED, None, added)
    return added


def change(work: Work, wanted: uuid.UUID | None, change_wanted: OrganizationChange) -> tuple[Tenant, Organization]:
    """Changes one of the tenant's organizations; the tenant comes back as it is then.

    A rename changes the row and what repeats its name. Time stays with the organization, and logs keep the old name.

    Raises:
        NotFound: the tenant has none with this id.
        Conflict: another one has the name, or the default would not be active.
    """
    tenant = lock_tenant(work.tx, work.tenant.id)
    old = next((each for each in store.find_all(work.tx, tenant.id) if each.public_id == wanted), None)
    if old is None:
        raise NotFound("There is no such Azure DevOps organization here.")
    new = replace(
        old,
        name=old.name if change_wanted.name is None else change_wanted.name,
        is_active=old.is_active if change_wanted.is_active is None else change_wanted.is_active,
    )
    was_default = is_default(tenant, old)
    becomes_default = was_default or change_wanted.makes_default
    if becomes_default and not new.is_active:
        raise Conflict(
            f"{new.name} is the default organization, and new time goes there. Make another one the default first.",
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
    """Adds or activates the organization that becomes the default; returns it, and a sentence about it for people."""
    tenant = lock_tenant(work.tx, work.tenant.id)
    stays = f"Time on {tenant.organization} stays there, and it stays active."
    added = store.add(work.tx, tenant.id, name=name, public_id=work.new_id(), now=work.now)
    if added is not None:
        _record(work, Action.ORGANIZATION_ADDED, None, added)
        return added, f"{added.name} was added to your organizations and is the default now. {stays}"
    found = store.find(work.tx, tenant.id, name)
    assert found is not None, "it is there, since it was not added"  # noqa: S101 - an invariant of ours
    if found.is_active:
        return found, f"{found.name} is the default organization now. {stays}"
    active = replace(found, is_active=True)
    store.set_active(work.tx, tenant.id, found.id, is_active=True)
    _record(work, Action.ORGANIZATION_ACTIVATED, found, active)
    return active, f"{found.name} is active again and is the default now. {stays}"


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
    """As a change of the settings, of which the default is one."""
    name = "azureDevOpsOrganization"
    audit.record(work, Action.TENANT_CHANGED, before={name: old}, after={name: new, "changed": [name]})


def _fields(organization: Organization) -> dict[str, Any]:
    return {"organization": organization.name, "isActive": organization.is_active}
