"""Reads and changes the settings of a tenant."""

import datetime as dt
import uuid
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from shared.db.schema import tenant_zones, tenants
from shared.db.statements import InsertIfAbsent
from shared.tenancy.model import Tenant
from shared.tenancy.store import TENANT_COLUMNS, to_tenant


@dataclass(frozen=True, slots=True)
class EditableSettings:
    """The settings that super admins can change, each a column of tenants."""

    name: str
    slug: str
    time_zone: str
    organization: str
    admin_email: str | None
    forgotten_timer_limit_ms: int
    write_back: bool
    lower_remaining_work: bool


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """A tenant, its editable settings and its purchase."""

    tenant: Tenant
    editable: EditableSettings
    rate_per_user: Decimal | None
    currency: str | None
    rate_unit: str | None
    subscription_id: uuid.UUID | None
    users_at_purchase: int | None
    trial_started_at: dt.datetime | None
    version: int


EDITABLE: Final = tuple(field.name for field in fields(EditableSettings))
_MORE: Final = (
    tenants.c.admin_email,
    tenants.c.rate_per_user,
    tenants.c.currency,
    tenants.c.rate_unit,
    tenants.c.subscription_id,
    tenants.c.users_at_purchase,
    tenants.c.trial_started_at,
    tenants.c.version,
)
_READ: Final[sa.Select[Any]] = sa.select(*TENANT_COLUMNS, *_MORE).where(tenants.c.id == bindparam("tenant"))
# One statement for every change: columns that do not change are written with their old value.
_CHANGE: Final = (
    tenants.update()
    .where(tenants.c.id == bindparam("tenant"), tenants.c.version == bindparam("known_version"))
    .values(
        **{name: bindparam(f"to_{name}", type_=tenants.c[name].type) for name in EDITABLE},
        version=tenants.c.version + 1,
        updated_at=bindparam("now"),
    )
)
# Of several changes at one instant the first counts: the others were in force for no time.
_ADD_ZONE: Final = InsertIfAbsent(
    tenant_zones, key=("tenant_id", "until_at"), columns=("tenant_id", "until_at", "time_zone")
)


def read(tx: sa.Connection, tenant_id: int) -> TenantSettings:
    row = tx.execute(_READ, {"tenant": tenant_id}).one()
    return TenantSettings(
        tenant=to_tenant(row),
        editable=EditableSettings(**{name: getattr(row, name) for name in EDITABLE}),
        rate_per_user=row.rate_per_user,
        currency=row.currency,
        rate_unit=row.rate_unit,
        subscription_id=row.subscription_id,
        users_at_purchase=row.users_at_purchase,
        trial_started_at=row.trial_started_at,
        version=row.version,
    )


def change(tx: sa.Connection, tenant_id: int, settings: EditableSettings, *, version: int, now: dt.datetime) -> bool:
    """Writes the editable settings; False when somebody changed the tenant since `version`."""
    parameters = {f"to_{name}": value for name, value in asdict(settings).items()}
    result = tx.execute(_CHANGE, {"tenant": tenant_id, "known_version": version, "now": now, **parameters})
    return result.rowcount == 1


def add_previous_zone(tx: sa.Connection, tenant_id: int, time_zone: str, *, until: dt.datetime) -> None:
    """Stores the time zone that was in force up to an instant; the current billing period keeps it."""
    _ADD_ZONE.run(tx, {"tenant_id": tenant_id, "until_at": until, "time_zone": time_zone})
