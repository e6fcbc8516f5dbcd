"""Checks Azure DevOps organizations of requests."""

import sqlalchemy as sa

from shared.errors import FieldError, InvalidRequest
from shared.tenancy import organization_store as store
from shared.tenancy.model import Organization, Tenant


def is_default(tenant: Tenant, organization: Organization) -> bool:
    return store.organization_key(tenant.organization) == store.organization_key(organization.name)


def require_active(tx: sa.Connection, tenant: Tenant, name: str, *, or_former: bool = False) -> None:
    """Lets through names of active organizations, with `or_former` also of inactive ones.

    Raises:
        InvalidRequest: `wrong_organization`.
    """
    if store.organization_key(name) == store.organization_key(tenant.organization):
        return  # the default is always active
    organizations = store.find_all(tx, tenant.id)
    key = store.organization_key(name)
    if any((each.is_active or or_former) and store.organization_key(each.name) == key for each in organizations):
        return
    active = " or ".join(each.name for each in organizations if each.is_active)
    raise InvalidRequest(
        f"{tenant.name} tracks time in the Azure DevOps organization {active}. "
        f"A super admin can add or activate {name}.",
        code="wrong_organization",
        errors=[FieldError("/organization", f"must be an active Azure DevOps organization of {tenant.name}: {active}")],
    )
