from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import sqlalchemy as sa

from shared.app import App
from shared.db.schema import usage_events
from shared.settings import Settings
from tests.support import marketplace as marketplace_support
from tests.support.billed_tenants import DIMENSION, BilledTenant, add_billed_tenant, remove_bills
from tests.support.marketplace import Marketplace


def metered_settings(settings: Settings, api_url: str) -> Settings:
    """The settings of an app with a metered plan."""
    values = {
        "marketplace_api_url": api_url,
        "marketplace_tenant_id": marketplace_support.TENANT_ID,
        "marketplace_client_id": marketplace_support.CLIENT_ID,
        "marketplace_client_secret": marketplace_support.CLIENT_SECRET,
        "marketplace_metering_dimension": DIMENSION,
    }
    return settings.model_copy(update=values)


@dataclass(frozen=True)
class Metering:
    """The app, a meter, and billed tenants."""

    app: App
    marketplace: Marketplace
    engine: sa.Engine

    def tenant(self, people: int = 3, **purchase: Any) -> BilledTenant:  # noqa: ANN401 - the fields of a purchase
        """A tenant with an active subscription in the Marketplace."""
        return add_billed_tenant(self.engine, self.marketplace.buy(active=True, **purchase), people=people)

    def empty_outbox(self) -> None:
        with self.engine.begin() as tx:
            tx.execute(usage_events.delete())

    def inject_fault(self, endpoint: str = "usage_batch", **fault: Any) -> None:  # noqa: ANN401 - as the emulator checks
        self.marketplace.execute("faults", **{endpoint: fault})

    def clear_faults(self) -> None:
        self.marketplace.emulator.faults.clear()

    def hits(self, endpoint: str = "usage_batch") -> int:
        hits: int = self.marketplace.stats()["hits"].get(endpoint, 0)
        return hits

    def on_meter(self, tenant: BilledTenant) -> list[float]:
        """The quantities that the meter has accepted for a tenant."""
        usage = self.marketplace.stats()["usage"]
        return [each["quantity"] for each in usage if each["resource_id"] == str(tenant.marketplace_id)]


@pytest.fixture
def metering(app, settings, engine, marketplace) -> Iterator[Metering]:
    """With an empty outbox, since a run also sends events of other tests."""
    metered = replace(app, settings=metered_settings(settings, marketplace.api_url))
    metering = Metering(metered, marketplace, engine)
    metering.empty_outbox()
    yield metering
    remove_bills(engine)
    marketplace.emulator.faults.clear()
    metered.close()
