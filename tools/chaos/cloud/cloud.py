"""The local cloud of a run: the database, the emulators in this process, and the workers as separate processes."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devcloud.emulators.azure_devops import server as azure_devops
from devcloud.emulators.entra import server as entra
from devcloud.emulators.entra.clients import EXTENSION, LANDING, PUBLISHER, TIMETRACKER_API
from devcloud.emulators.entra.people import VENDOR
from devcloud.emulators.marketplace import server as marketplace
from devcloud.emulators.marketplace.catalog import DIMENSION
from devcloud.emulators.marketplace.publisher import Publisher
from devcloud.run import migrate
from tools.chaos.cloud.databases import Database, open_database
from tools.chaos.cloud.processes import Proxy, Worker, start_proxy, start_workers


THREADS: Final = "8"
_UNUSED_URL: Final = "http://127.0.0.1:9"


@dataclass
class Cloud:
    """`proxy` forwards to the workers in turn, for clients with one address."""

    database: Database
    entra: entra.Entra
    marketplace: marketplace.Marketplace
    azure_devops: azure_devops.AzureDevOps
    workers: list[Worker]
    proxy: Proxy
    environment: dict[str, str]

    @property
    def bases(self) -> list[str]:
        return [each.base for each in self.workers]


@contextlib.contextmanager
def start_cloud(folder: Path, *, database_name: str, workers_count: int, internal: list[str]) -> Iterator[Cloud]:
    """Starts everything on an empty database; directories in `internal` are on the internal plan.

    Raises:
        NoPostgres, ProcessNotStarted: a part did not start.
    """
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(open_database(database_name, folder))
        asyncio.run(migrate({**os.environ, "DATABASE_URL": database.direct_url}))
        entra_emulator = stack.enter_context(entra.running(folder, port=0))
        options = marketplace.Options(
            folder, entra_emulator.url, Publisher(f"{_UNUSED_URL}/landing", f"{_UNUSED_URL}/webhook")
        )
        marketplace_emulator = stack.enter_context(marketplace.running(options, port=0))
        azure_devops_emulator = stack.enter_context(azure_devops.running(port=0))
        environment = _environment(database, entra_emulator, marketplace_emulator, azure_devops_emulator, internal)
        running_workers = stack.enter_context(start_workers(folder, environment, workers_count))
        proxy = stack.enter_context(start_proxy(folder / "front-proxy.log", *(each.port for each in running_workers)))
        pages = f"http://127.0.0.1:{proxy.port}/api/marketplace"
        marketplace_emulator.admin.execute("POST pages", {"landing": f"{pages}/landing", "webhook": f"{pages}/webhook"})
        marketplace_emulator.admin.execute("POST pace", {"ack_seconds": 3.0, "retry_seconds": 0.3})
        yield Cloud(
            database, entra_emulator, marketplace_emulator, azure_devops_emulator, running_workers, proxy, environment
        )


def _environment(
    database: Database,
    entra_emulator: entra.Entra,
    marketplace_emulator: marketplace.Marketplace,
    azure_devops_emulator: azure_devops.AzureDevOps,
    internal: list[str],
) -> dict[str, str]:
    return {
        "DATABASE_URL": database.url,
        "ENTRA_AUTHORITY": entra_emulator.url,
        "ENTRA_KEYS_URL": f"{entra_emulator.url}/common/discovery/v2.0/keys",
        "ENTRA_API_CLIENT_ID": TIMETRACKER_API.id,
        "ENTRA_CLIENT_IDS": EXTENSION.id,
        "AZURE_DEVOPS_URL": azure_devops_emulator.url,
        "MARKETPLACE_API_URL": f"{marketplace_emulator.url}/api",
        "MARKETPLACE_TENANT_ID": VENDOR.tid,
        "MARKETPLACE_CLIENT_ID": PUBLISHER.id,
        "MARKETPLACE_CLIENT_SECRET": str(PUBLISHER.secret),
        "MARKETPLACE_METERING_DIMENSION": DIMENSION,
        "LANDING_CLIENT_ID": LANDING.id,
        "LANDING_CLIENT_SECRET": str(LANDING.secret),
        "INTERNAL_TENANT_IDS": ",".join(internal),
        "MONTH_CLOSE_SCHEDULE": "0 5 * * * *",
        "TRIAL_EXPIRY_SCHEDULE": "0 20 * * * *",
        "FORGOTTEN_TIMER_SCHEDULE": "0 */5 * * * *",
        "RETENTION_SCHEDULE": "0 10 * * * *",
        "USAGE_SCHEDULE": "0 15 * * * *",
        "PYTHON_THREADPOOL_THREAD_COUNT": THREADS,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
