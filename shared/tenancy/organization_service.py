"""Adds, renames, activates and deactivates a tenant's Azure DevOps organizations, and makes one the default, on record.

Each is decided with the tenant's row held, so that the default is always one of the tenant's, and active.
"""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from shared import audit
from shared.audit import Action, Actor
from shared.errors import Conflict, FieldError, InvalidRequest, NotFound
from shared.tenancy import organization_store as store
from shared.tenancy.model import Caller, Organization, Tenant
from shared.tenancy.store import hold_tenant


NewId = Callable[[], uuid.UUID]


@dataclass(frozen=True, slots=True)
class OrganizationChange:
    """None leaves as it is."""

    name: str | None = None
    is_active: bool | None = None
    makes_default: bool = False


def is_default(tenant: Tenant, organization: Organization) -> bool:
    return store.organization_key(tenant.organization) == store.organization_key(organization.name)


def require_active(tx: sa.Connection, tenant: Tenant, name: str, *, or_former: bool = False) -> None:
    """Lets through the name of an organization that new time may go to; `or_former` one that was active before, too.

    Raises:
        InvalidRequest: `wrong_organization`.
    """
    if store.organization_key(name) == store.organization_key(tenant.organization):
        return  # the default is active
    found = store.find_all(tx, tenant.id)
    key = store.organization_key(name)
    if any((each.is_active or or_former) and store.organization_key(each.name) == key for each in found):
        return
    active = " or ".join(each.name for each in found if each.is_active)
    raise InvalidRequest(
        f"{tenant.name} tracks time in the Azure DevOps organization {active}. A super admin can add {name}, or "
        "activate it again.",
        code="wrong_organization",
        errors=[FieldError("/organization", f"must be an active Azure DevOps organization of {tenant.name}: {active}")],
    )


def add(tx: sa.Connection, caller: Caller, name: str, *, now: dt.datetime, new_id: NewId) -> Organization:
    """A new active organization beside the others.

    Raises:
        Conflict: the tenant has one of this name.
    """
    hold_tenant(tx, caller.tenant.id)
    added = store.add(tx, caller.tenant.id, name=name, public_id=new_id(), now=now)
    if added is None:
        raise _exists(name)
    _record(tx, caller, Action.ORGANIZATION_ADDED, None, added, now=now, new_id=new_id)
    return added


def change(
    tx: sa.Connection,
    caller: Caller,
    wanted: uuid.UUID | None,
    subject: OrganizationChange,
    *,
    now: dt.datetime,
    new_id: NewId,
) -> tuple[Tenant, Organization]:
    """Changes one of the tenant's organizations; the tenant comes back as it is then.

    A rename changes the row and what repeats its name. Time stays with the organization, and logs keep the old name.

    Raises:
        NotFound: the tenant has none with this id.
        Conflict: another one has the name, or the default would not be active.
    """
    tenant = hold_tenant(tx, caller.tenant.id)
    old = next((each for each in store.find_all(tx, tenant.id) if each.public_id == wanted), None)
    if old is None:
        raise NotFound("There is no such Azure DevOps organization here.")
    new = replace(
        old,
        name=old.name if subject.name is None else subject.name,
        is_active=old.is_active if subject.is_active is None else subject.is_active,
    )
    was_default = is_default(tenant, old)
    becomes_default = was_default or subject.makes_default
    if becomes_default and not new.is_active:
        raise Conflict(
            f"{new.name} is the default organization, and new time goes there. Make another one the default first.",
            code="default_organization",
        )
    if new.name != old.name:
        _rename(tx, tenant, old, new)
        _record(tx, caller, Action.ORGANIZATION_RENAMED, old, new, now=now, new_id=new_id)
    if new.is_active != old.is_active:
        store.set_active(tx, tenant.id, old.id, is_active=new.is_active)
        action = Action.ORGANIZATION_ACTIVATED if new.is_active else Action.ORGANIZATION_DEACTIVATED
        _record(tx, caller, action, old, new, now=now, new_id=new_id)
    if becomes_default and new.name != tenant.organization:
        store.set_default(tx, tenant.id, name=new.name, now=now)
    if becomes_default and not was_default:
        _record_default(tx, caller, tenant.organization, new.name, now=now, new_id=new_id)
    return replace(tenant, organization=new.name if becomes_default else tenant.organization), new


def provide(
    tx: sa.Connection, caller: Caller, name: str, *, now: dt.datetime, new_id: NewId
) -> tuple[Organization, str]:
    """The tenant's organization of this name, active and to become the default; and in a sentence what that takes."""
    tenant = hold_tenant(tx, caller.tenant.id)
    stays = f"Time on {tenant.organization} stays there, and it stays active."
    added = store.add(tx, tenant.id, name=name, public_id=new_id(), now=now)
    if added is not None:
        _record(tx, caller, Action.ORGANIZATION_ADDED, None, added, now=now, new_id=new_id)
        return added, f"{added.name} was added to your organizations and is the default now. {stays}"
    found = store.find(tx, tenant.id, name)
    assert found is not None, "it is there, since it was not added"  # noqa: S101 - an invariant of ours
    if found.is_active:
        return found, f"{found.name} is the default organization now. {stays}"
    active = replace(found, is_active=True)
    store.set_active(tx, tenant.id, found.id, is_active=True)
    _record(tx, caller, Action.ORGANIZATION_ACTIVATED, found, active, now=now, new_id=new_id)
    return active, f"{found.name} is active again and is the default now. {stays}"


def _rename(tx: sa.Connection, tenant: Tenant, old: Organization, new: Organization) -> None:
    other = store.find(tx, tenant.id, new.name)
    if other is not None and other.id != old.id:
        raise _exists(new.name)
    store.rename(tx, tenant.id, old, name=new.name)


def _exists(name: str) -> Conflict:
    return Conflict(f"{name} is one of your Azure DevOps organizations already.", code="organization_exists")


def _record(
    tx: sa.Connection,
    caller: Caller,
    action: Action,
    old: Organization | None,
    new: Organization,
    *,
    now: dt.datetime,
    new_id: NewId,
) -> None:
    _append(tx, caller, action, None if old is None else _fields(old), _fields(new), now=now, new_id=new_id)


def _record_default(tx: sa.Connection, caller: Caller, old: str, new: str, *, now: dt.datetime, new_id: NewId) -> None:
    """As a change of the settings, of which the default is one."""
    name = "azureDevOpsOrganization"
    after = {name: new, "changed": [name]}
    _append(tx, caller, Action.TENANT_CHANGED, {name: old}, after, now=now, new_id=new_id)


def _append(
    tx: sa.Connection,
    caller: Caller,
    action: Action,
    before: dict[str, Any] | None,
    after: dict[str, Any],
    *,
    now: dt.datetime,
    new_id: NewId,
) -> None:
    audit.record(
        tx,
        caller.tenant.id,
        action,
        actor=Actor.user(caller.user.id),
        at=now,
        row_id=new_id(),
        before=before,
        after=after,
    )


def _fields(organization: Organization) -> dict[str, Any]:
    return {"organization": organization.name, "isActive": organization.is_active}
