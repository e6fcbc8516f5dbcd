"""The local cloud of a run: the database, the stand-ins in this process, and the workers as processes of their own."""

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
from devcloud.emulators.marketplace.catalogue import DIMENSION
from devcloud.emulators.marketplace.publisher import Publisher
from devcloud.run import migrate
from tools.chaos.cloud.databases import Database, database
from tools.chaos.cloud.processes import Line, Worker, line, workers


THREADS: Final = "8"
_NOBODY: Final = "http://127.0.0.1:9"


@dataclass
class Cloud:
    """`front` is the line to the workers in turn, for those who know one address only."""

    database: Database
    entra: entra.Entra
    marketplace: marketplace.Marketplace
    azure_devops: azure_devops.AzureDevOps
    workers: list[Worker]
    front: Line
    environment: dict[str, str]

    @property
    def bases(self) -> list[str]:
        return [each.base for each in self.workers]


@contextlib.contextmanager
def cloud(folder: Path, *, database_name: str, workers_count: int, internal: list[str]) -> Iterator[Cloud]:
    """Everything running on an empty database; directories in `internal` are on the internal plan.

    Raises:
        NoPostgres, NotStarted: as of `database`; or a worker does not get ready.
    """
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(database(database_name, folder))
        asyncio.run(migrate({**os.environ, "DATABASE_URL": kept.own_url}))
        directory = stack.enter_context(entra.running(folder, port=0))
        options = marketplace.Options(folder, directory.url, Publisher(f"{_NOBODY}/landing", f"{_NOBODY}/webhook"))
        shop = stack.enter_context(marketplace.running(options, port=0))
        devops = stack.enter_context(azure_devops.running(port=0))
        environment = _environment(kept, directory, shop, devops, internal)
        running = stack.enter_context(workers(folder, environment, workers_count))
        front = stack.enter_context(line(folder / "front.log", *(each.port for each in running)))
        pages = f"http://127.0.0.1:{front.port}/api/marketplace"
        shop.admin.carry_out("POST pages", {"landing": f"{pages}/landing", "webhook": f"{pages}/webhook"})
        shop.admin.carry_out("POST pace", {"ack_seconds": 3.0, "retry_seconds": 0.3})
        yield Cloud(kept, directory, shop, devops, running, front, environment)


def _environment(
    kept: Database,
    directory: entra.Entra,
    shop: marketplace.Marketplace,
    devops: azure_devops.AzureDevOps,
    internal: list[str],
) -> dict[str, str]:
    return {
        "DATABASE_URL": kept.url,
        "ENTRA_AUTHORITY": directory.url,
        "ENTRA_KEYS_URL": f"{directory.url}/common/discovery/v2.0/keys",
        "ENTRA_API_CLIENT_ID": TIMETRACKER_API.id,
        "ENTRA_CLIENT_IDS": EXTENSION.id,
        "AZURE_DEVOPS_URL": devops.url,
        "MARKETPLACE_API_URL": f"{shop.url}/api",
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
