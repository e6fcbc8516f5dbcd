"""Purchases after the landing page, and their state in the database and in the emulator."""

import uuid
from collections import Counter
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from billing.marketplace import of as marketplace_of
from billing.marketplace.client import MarketplaceClient
from billing.subscriptions import rules, service
from billing.subscriptions.model import Event, EventSource
from devcloud.emulators.entra.clients import LANDING
from shared.app import App
from shared.db.row_level_security import ALL_TENANTS
from shared.db.schema import metadata, subscription_events, subscription_rates, subscriptions, tenants
from shared.deadline import Deadline
from shared.settings import Settings
from shared.tenancy.store import find_tenant
from shared.work import SERVICE, Work
from tests.support import marketplace as support
from tests.support.marketplace import Marketplace


STATUSES = {"Subscribed": "subscribed", "Suspended": "suspended", "Unsubscribed": "unsubscribed"}


def marketplace_settings(marketplace: Marketplace) -> dict[str, str]:
    """The settings that point the product to the emulator."""
    return {
        "MARKETPLACE_API_URL": marketplace.api_url,
        "MARKETPLACE_TENANT_ID": support.TENANT_ID,
        "MARKETPLACE_CLIENT_ID": support.CLIENT_ID,
        "MARKETPLACE_CLIENT_SECRET": support.CLIENT_SECRET,
    }


def with_marketplace(settings: Settings, marketplace: Marketplace) -> Settings:
    return settings.model_copy(
        update={name.lower(): value for name, value in marketplace_settings(marketplace).items()}
    )


def with_landing_page(settings: Settings, marketplace: Marketplace) -> Settings:
    """The settings with the Marketplace and its landing page on."""
    landing = {"landing_client_id": LANDING.id, "landing_client_secret": LANDING.secret}
    return with_marketplace(settings, marketplace).model_copy(update=landing)


@dataclass(frozen=True)
class Purchase:
    """A purchase; `id` is Microsoft's."""

    id: str
    tid: str
    app: App
    marketplace: Marketplace

    @property
    def row(self) -> Any:  # noqa: ANN401 - a row
        return self._rows(subscriptions.select().where(subscriptions.c.marketplace_id == uuid.UUID(self.id)))[0]

    @property
    def tenant(self) -> Any:  # noqa: ANN401 - a row
        return self._rows(tenants.select().where(tenants.c.entra_tenant_id == uuid.UUID(self.tid)))[0]

    @property
    def terms(self) -> tuple[str, str, int | None]:
        return (self.row.status, self.row.plan_id, self.row.quantity)

    @property
    def at_microsoft(self) -> tuple[str, str, int | None]:
        """The terms in the emulator."""
        copy = self.marketplace.send("GET", f"saas/subscriptions/{self.id}").json()
        return (STATUSES[copy["saasSubscriptionStatus"].strip()], copy["planId"], copy["quantity"])

    @property
    def ledger(self) -> list[Any]:
        return self._rows(
            subscription_events.select()
            .where(subscription_events.c.subscription_id == self.row.id)
            .order_by(subscription_events.c.id)
        )

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """Type and outcome of each event after the purchase."""
        return [(row.event_type, row.outcome) for row in self.ledger[1:]]

    @property
    def applied(self) -> Counter[str]:
        """How often each operation is in the ledger."""
        return Counter(str(row.operation_id) for row in self.ledger if row.operation_id is not None)

    @property
    def rates(self) -> list[tuple[str, str, str]]:
        of_this = subscription_rates.c.subscription_id == self.row.id
        query = subscription_rates.select().where(of_this).order_by(subscription_rates.c.from_at)
        return [(row.plan_id, str(row.rate_per_user), row.currency) for row in self._rows(query)]

    def execute(self, name: str, **given: Any) -> str:  # noqa: ANN401 - any JSON
        """An action of the customer; returns the id of its operation."""
        return str(self.marketplace.execute(name, subscription=self.id, **given)["operation"])

    def operation(self, operation: str) -> dict[str, Any]:
        found: dict[str, Any] = self.marketplace.stats()["operations"][operation]
        return found

    def attempts(self, operation: str) -> list[int]:
        """The response status of each call of the webhook."""
        calls = self.marketplace.stats()["attempts"]
        return [call["status"] for call in calls if call["operation_id"] == operation]

    def _rows(self, query: sa.Select[Any]) -> list[Any]:
        with self.app.transaction(reads_only=True, tenant=ALL_TENANTS) as tx:
            return list(tx.execute(query))


def client_of(app: App) -> MarketplaceClient:
    found = marketplace_of(app)
    assert found is not None
    return found


def add_active_purchase(app: App, marketplace: Marketplace, tid: str, **purchase: Any) -> Purchase:  # noqa: ANN401 - its fields
    """A purchase of a directory's tenant, active at Microsoft and here."""
    bought = add_pending_purchase(app, marketplace, tid, active=True, **purchase)
    client = client_of(app)
    deadline = Deadline.after(10)
    copy = client.get(bought.id, deadline)
    terms = rules.terms_of(copy)
    assert terms is not None
    quote = rules.quote_of(client.plans(bought.id, deadline), terms)
    with app.transaction() as tx:
        tenant = find_tenant(tx, tid=tid, lock=True)
        assert tenant is not None
        work = Work(tx, tenant, SERVICE, app.now(), app.new_id)
        row = service.begin(work, uuid.UUID(bought.id), terms)
        service.move(work, row, terms, Event("Activate", EventSource.LANDING, work.now), quote=quote)
    return bought


def add_pending_purchase(app: App, marketplace: Marketplace, tid: str, **purchase: Any) -> Purchase:  # noqa: ANN401 - its fields
    """A purchase confirmed by the buyer and not activated yet."""
    bought = marketplace.buy(**{"plan": "seats", "quantity": 5, **purchase})
    terms = rules.terms_of(client_of(app).get(bought, Deadline.after(10)))
    assert terms is not None
    with app.transaction() as tx:
        tenant = find_tenant(tx, tid=tid, lock=True)
        assert tenant is not None
        service.begin(Work(tx, tenant, SERVICE, app.now(), app.new_id), uuid.UUID(bought), terms)
    return Purchase(bought, tid, app, marketplace)


def row_counts(engine: sa.Engine, tid: str) -> dict[str, int]:
    """The number of the tenant's rows of each table."""
    with engine.connect().execution_options(reads_only=True) as connection:
        own = tenants.c.entra_tenant_id == uuid.UUID(tid)
        tenant = connection.execute(sa.select(tenants.c.id).where(own)).scalar_one()
        return {
            table.name: connection.execute(
                sa.select(sa.func.count()).select_from(table).where(table.c.tenant_id == tenant)
            ).scalar_one()
            for table in metadata.sorted_tables
            if "tenant_id" in table.columns
        }
