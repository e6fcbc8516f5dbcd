"""A tenant with the fields that only the vendor sees."""

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import Decimal

from shared.tenancy.model import Tenant


@dataclass(frozen=True, slots=True)
class TenantAccount:
    tenant: Tenant
    directory_id: uuid.UUID
    admin_email: str | None
    trial_started_at: dt.datetime | None
    rate_per_user: Decimal | None
    currency: str | None
    subscription_id: uuid.UUID | None
    users_at_purchase: int | None
    forgotten_timer_limit_ms: int
    write_back: bool
    version: int
    created_at: dt.datetime
    updated_at: dt.datetime
