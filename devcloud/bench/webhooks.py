"""The Marketplace's webhook under load: many threads call it while people work, and each call is timed there."""

import contextlib
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from devcloud.bench import ground, rows
from devcloud.bench.directory import Directory
from devcloud.bench.ground import Ground
from devcloud.bench.measure import LoadFailed, load_slices, percentile
from devcloud.bench.pairs import settings, talks
from devcloud.bench.processes import PROJECT, Host, host
from devcloud.bench.rates import PEOPLE
from devcloud.bench.setting import Bench
from devcloud.entra.clients import PUBLISHER
from devcloud.entra.people import VENDOR
from devcloud.marketplace import server
from devcloud.marketplace.publisher import Publisher
from devcloud.marketplace.server import Marketplace
from shared.app import App, build
from shared.db.schema import tenants
from shared.marketplace.flow import within
from shared.settings import Settings
from shared.subscriptions import rules, service
from shared.subscriptions.model import Event, EventSource
from shared.tenancy.store import find_tenant


SUBSCRIPTIONS: Final = 20
AT_ONCE: Final = 8
RATE: Final = 50  # starts and stops a second meanwhile
_SEATS: Final = 100
_PATIENCE_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class Heard:
    """Milliseconds of each call on one engine, sorted."""

    engine: str
    millis: list[float]

    def percentile(self, percent: float) -> float:
        return percentile([value * 1000 for value in self.millis], percent)


def run(bench: Bench) -> list[Heard]:
    """Changes of seats, one after the other for each of many customers, delivered by several threads at once.

    Raises:
        LoadFailed: a call was not answered with 200, or a start or stop meanwhile was answered wrongly.
    """
    found = []
    for engine in bench.engines:
        on = ground.empty(engine, "webhooks")
        with _market(bench.directory) as market, host(PROJECT, _settings(bench.directory, on, market)) as ours:
            market.admin.carry_out("POST pages", {"landing": "http://127.0.0.1:9/", "webhook": _webhook(ours.port)})
            bought = _bought(market, _settings(bench.directory, on, market))
            with _people_working(bench, ours):
                for number in range(bench.rounds):
                    _change_all(market, bought, _SEATS + number + 1)
                    bench.progress(f"webhooks on {engine.name}", (number + 1) / bench.rounds)
            calls = market.delivery.attempts()
            if {call["status"] for call in calls} != {200}:
                raise LoadFailed(f"the webhook answered {sorted({call['status'] for call in calls})}")
            found.append(Heard(engine.name, sorted(call["milliseconds"] for call in calls)))
    return found


@contextlib.contextmanager
def _people_working(bench: Bench, ours: Host) -> Iterator[None]:
    """Somebody's request has been answered when it begins, and all that were have been right when it ends."""
    is_busy, is_over, people = threading.Event(), threading.Event(), talks(bench.directory, PEOPLE)
    most = _PATIENCE_SECONDS * bench.rounds * 4

    def work() -> None:
        try:
            for _ in load_slices(ours, people, slices=most, seconds=0.25, warm_up=0.5, rate=RATE):
                is_busy.set()
                if is_over.is_set():
                    return
        finally:
            is_busy.set()  # nobody waits for a load that fell over; `result` tells of it

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        is_busy.wait()
        try:
            yield
        finally:
            is_over.set()
        working.result()


def _change_all(market: Marketplace, bought: list[str], seats: int) -> None:
    orders = [market.admin.carry_out("POST change", {"subscription": one, "quantity": seats}) for one in bought]
    operations = [order["operation"] for order in orders]
    market.delivery.release(operations, AT_ONCE)
    until = time.monotonic() + _PATIENCE_SECONDS
    while market.delivery.busy() or any(map(market.operations.outstanding, bought)):
        if time.monotonic() > until:
            raise LoadFailed("the webhook was not done in time")
        time.sleep(0.01)


@contextlib.contextmanager
def _market(directory: Directory) -> Iterator[Marketplace]:
    with tempfile.TemporaryDirectory() as folder:
        publisher = Publisher("http://127.0.0.1:9/", "http://127.0.0.1:9/")
        with server.running(server.Options(Path(folder), directory.authority, publisher), port=0) as market:
            market.admin.carry_out("POST shapes", {"held": True})
            market.admin.carry_out("POST pace", {"ack_seconds": 0.2})
            yield market


def _settings(directory: Directory, on: Ground, market: Marketplace) -> dict[str, str]:
    return {
        **settings(directory, on),
        "MARKETPLACE_API_URL": f"{market.url}/api",
        "MARKETPLACE_TENANT_ID": VENDOR.tid,
        "MARKETPLACE_CLIENT_ID": PUBLISHER.id,
        "MARKETPLACE_CLIENT_SECRET": str(PUBLISHER.secret),
    }


def _webhook(port: int) -> str:
    return f"http://127.0.0.1:{port}/api/marketplace/webhook"


def _bought(market: Marketplace, told: Mapping[str, str]) -> list[str]:
    """A subscription in force for each of many tenants, as their landing page leaves it."""
    app = build(Settings.from_env(told))
    try:
        return [_activated(market, app, number) for number in range(SUBSCRIPTIONS)]
    finally:
        app.engine.dispose()


def _activated(market: Marketplace, app: App, number: int) -> str:
    given = {"plan": "seats", "quantity": _SEATS, "active": True}
    bought: str = market.admin.carry_out("POST buy", given)["subscription"]
    client, flow, tid = app.marketplace, within(10), uuid.UUID(int=2000 + number)
    assert client is not None  # noqa: S101 - the settings name it
    told = client.get(bought, flow)
    terms, price = rules.terms_of(told), rules.price_of(client.plans(bought, flow), told.plan_id)
    assert terms is not None  # noqa: S101 - it is active
    with app.transaction() as tx:
        tx.execute(tenants.insert(), _tenant(number, tid))
        tenant = find_tenant(tx, tid=str(tid), lock=True)
        assert tenant is not None  # noqa: S101 - just made
        row = service.begin(tx, tenant, uuid.UUID(bought), terms, now=app.now())
        event = Event("Activate", EventSource.LANDING, app.now())
        service.move(tx, tenant, row, terms, event, price=price, now=app.now(), new_id=app.new_id)
    return bought


def _tenant(number: int, tid: uuid.UUID) -> dict[str, Any]:
    own = {"id": 100 + number, "public_id": tid, "entra_tenant_id": tid, "slug": f"customer-{number}", "seats_used": 0}
    return {**rows.tenant(), **own}
