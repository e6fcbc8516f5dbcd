"""The Marketplace emulator, the settings for it, and customers with seats."""

import contextlib
import datetime as dt
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from billing import marketplace
from billing.subscriptions import rules, service
from billing.subscriptions.model import Event, EventSource
from devcloud.emulators.entra.clients import PUBLISHER
from devcloud.emulators.entra.people import VENDOR
from devcloud.emulators.marketplace import server
from devcloud.emulators.marketplace.publisher import Publisher
from devcloud.emulators.marketplace.server import Marketplace
from shared.app import App, build
from shared.db.schema import organizations, tenants
from shared.deadline import Deadline
from shared.settings import Settings
from shared.tenancy.model import Tenant
from shared.tenancy.store import find_tenant
from shared.work import SERVICE, Work
from tools.bench.data import rows
from tools.bench.data.database import Database
from tools.bench.data.directory import Directory
from tools.bench.parts import start_stop


SUBSCRIPTIONS: Final = 20
SEATS: Final = 100
_NOWHERE: Final = "http://127.0.0.1:9/"


@contextlib.contextmanager
def start_marketplace(directory: Directory) -> Iterator[Marketplace]:
    """Holds events until their release and calls the webhook once per event: a repeat would hide a failure."""
    with tempfile.TemporaryDirectory() as folder:
        options = server.Options(Path(folder), directory.authority, Publisher(_NOWHERE, _NOWHERE))
        with server.running(options, port=0) as market:
            market.admin.execute("POST shapes", {"held": True})
            market.admin.execute("POST pace", {"ack_seconds": 0.2, "retries": 0, "retry_seconds": 0})
            yield market


def set_webhook(market: Marketplace, port: int) -> None:
    """Sends events to the host at that port."""
    webhook = f"http://127.0.0.1:{port}/api/marketplace/webhook"
    market.admin.execute("POST pages", {"landing": _NOWHERE, "webhook": webhook})


def settings(directory: Directory, target: Database, market: Marketplace) -> dict[str, str]:
    return {
        **start_stop.settings(directory, target),
        "MARKETPLACE_API_URL": f"{market.url}/api",
        "MARKETPLACE_TENANT_ID": VENDOR.tid,
        "MARKETPLACE_CLIENT_ID": PUBLISHER.id,
        "MARKETPLACE_CLIENT_SECRET": str(PUBLISHER.secret),
    }


def buy_subscriptions(market: Marketplace, environment: Mapping[str, str]) -> list[str]:
    """Buys an active subscription for each of many tenants, as the landing page does."""
    app = build(Settings.from_env(environment))
    try:
        return [_buy_and_activate(market, app, number) for number in range(SUBSCRIPTIONS)]
    finally:
        app.engine.dispose()


def _buy_and_activate(market: Marketplace, app: App, number: int) -> str:
    purchase = {"plan": "seats", "quantity": SEATS, "active": True}
    subscription: str = market.admin.execute("POST buy", purchase)["subscription"]
    client, deadline, tid = marketplace.of(app), Deadline.after(10), uuid.UUID(int=2000 + number)
    assert client is not None  # noqa: S101 - in the settings
    environment = client.get(subscription, deadline)
    terms = rules.terms_of(environment)
    assert terms is not None  # noqa: S101 - it is active
    quote = rules.quote_of(client.plans(subscription, deadline), terms)
    with app.transaction() as tx:
        tx.execute(tenants.insert(), _tenant(number, tid))
        tenant = find_tenant(tx, tid=str(tid), lock=True)
        assert tenant is not None  # noqa: S101 - just created
        tx.execute(organizations.insert(), _organization(tenant, number, app.now()))
        work = Work(tx, tenant, SERVICE, app.now(), app.new_id)
        row = service.begin(work, uuid.UUID(subscription), terms)
        service.move(work, row, terms, Event("Activate", EventSource.LANDING, work.now), quote=quote)
    return subscription


def _organization(tenant: Tenant, number: int, now: dt.datetime) -> dict[str, Any]:
    name_columns = {"name": tenant.organization, "name_key": tenant.organization}
    id_columns = {"id": 2000 + number, "tenant_id": tenant.id, "public_id": uuid.UUID(int=2000 + number)}
    return {**id_columns, **name_columns, "is_active": True, "created_at": now}


def _tenant(number: int, tid: uuid.UUID) -> dict[str, Any]:
    own_columns = {
        "id": 100 + number,
        "public_id": tid,
        "entra_tenant_id": tid,
        "slug": f"customer-{number}",
        "seats_used": 0,
    }
    return {**rows.tenant(), **own_columns}
