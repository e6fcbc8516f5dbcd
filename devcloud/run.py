"""`python -m devcloud run`: the whole local cloud, from an empty directory to ready."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devcloud import banner, missing, settings_file
from devcloud.children import ChildEnded, ProcessSpec, python
from devcloud.ports import PortUnusable, listen
from devcloud.supervise import Supervisor
from shared.settings import Settings, SettingsError


PROJECT = Path(__file__).resolve().parents[1]
DATABASE = "timetracker.db"
FAILED, USAGE = 1, 2


class StartFailed(Exception):
    """A step before the start failed; the text is the message."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class WrongDatabase(Exception):
    """`--fresh` would not empty the database in use; the text is the message."""


@dataclass(frozen=True, slots=True)
class Options:
    port: int
    data: Path
    fresh: bool
    timers: bool
    demo: bool

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.data / DATABASE}"

    @property
    def host_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def entra_url(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}"

    @property
    def marketplace_url(self) -> str:
        return f"http://127.0.0.1:{self.port + 2}"

    @property
    def azure_devops_url(self) -> str:
        return f"http://127.0.0.1:{self.port + 3}"


def run(options: Options) -> int:
    """Runs until stopped; the exit code."""
    try:
        for port in range(options.port, options.port + 4):
            listen(port).close()
        environment = build_environment(options, os.environ)
        Settings.from_env(environment)
        check_fresh(options, environment)
    except (PortUnusable, SettingsError, settings_file.SettingsFileError, WrongDatabase) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's output
        return USAGE
    try:
        prepare_data(options)
        asyncio.run(_supervise(options, environment))
    except (StartFailed, ChildEnded) as error:
        print(error, file=sys.stderr)  # noqa: T201 - likewise
        return missing.EXIT_CODE if error.code == missing.EXIT_CODE else FAILED
    banner.print_line("Stopped.")
    return 0


def build_environment(options: Options, given: Mapping[str, str]) -> dict[str, str]:
    """Of the processes: the user's environment, then their settings file, then ours, then the sample."""
    environment = dict(given)
    environment["ENTRA_AUTHORITY"] = options.entra_url
    environment["ENTRA_KEYS_URL"] = f"{options.entra_url}/common/discovery/v2.0/keys"
    environment["MARKETPLACE_API_URL"] = f"{options.marketplace_url}/api"
    environment["AZURE_DEVOPS_URL"] = options.azure_devops_url
    settings_file.load(PROJECT, environment, above_sample={"DATABASE_URL": options.database_url})
    return environment


def check_fresh(options: Options, environment: Mapping[str, str]) -> None:
    """Raises WrongDatabase when `--fresh` would not empty the database in use."""
    if options.fresh and not names_own_database(environment["DATABASE_URL"], options):
        raise WrongDatabase(
            "--fresh empties only the database under --data; DATABASE_URL names another: unset it, or leave --fresh out"
        )


def names_own_database(url: str, options: Options) -> bool:
    """Whether the URL, absolute or relative, names the file in the data directory."""
    scheme, _, path = url.partition(":///")
    dialect = scheme.partition("+")[0]
    is_same = (PROJECT / path.partition("?")[0]).resolve() == (options.data / DATABASE).resolve()
    return url == options.database_url or (dialect == "sqlite" and is_same)


def prepare_data(options: Options) -> None:
    options.data.mkdir(parents=True, exist_ok=True)
    if options.fresh:
        for path in options.data.glob(f"{DATABASE}*"):
            path.unlink()


async def migrate(environment: Mapping[str, str]) -> None:
    """Migrates the database to the newest revision.

    Raises:
        StartFailed: Alembic failed; the message is its last line.
    """
    await _run_command("the database was not migrated", environment, "migrate")


async def _supervise(options: Options, environment: Mapping[str, str]) -> None:
    timers = ["--timers"] if options.timers else []
    host = ProcessSpec(
        "host",
        python("-m", "devcloud", "host", "--app", str(PROJECT), "--port", str(options.port), "--access-log", *timers),
        f"{options.host_url}/api/health",
    )
    entra = ProcessSpec(
        "entra",
        python("-m", "devcloud", "entra", "--port", str(options.port + 1), "--data", str(options.data)),
        f"{options.entra_url}/common/v2.0/.well-known/openid-configuration",
    )
    azure_devops = ProcessSpec(
        "azure-devops",
        python("-m", "devcloud", "azure-devops", "--port", str(options.port + 3)),
        f"{options.azure_devops_url}/admin/stats",
    )
    emulators = [entra, _marketplace(options), azure_devops]
    supervisor = Supervisor([host, *emulators], environment, project=PROJECT, show=banner.print_line)
    os.chdir(PROJECT)

    async def prepare() -> None:
        await migrate(environment)
        if options.demo:
            await _run_command("the demo tenants were not loaded", environment, "demo")

    async def ready() -> None:
        if not names_own_database(environment["DATABASE_URL"], options):
            banner.print_line("The database is the one that DATABASE_URL names, not the one under --data.")
        urls = (options.host_url, options.entra_url, options.marketplace_url, options.azure_devops_url)
        banner.print_banner(*urls, demo=options.demo)

    await supervisor.run(prepare, ready)


def _marketplace(options: Options) -> ProcessSpec:
    pages = f"{options.host_url}/api/marketplace"
    return ProcessSpec(
        "marketplace",
        python(
            *("-m", "devcloud", "marketplace", "serve", "--port", str(options.port + 2), "--data", str(options.data)),
            *("--authority", options.entra_url, "--landing", f"{pages}/landing", "--webhook", f"{pages}/webhook"),
        ),
        f"{options.marketplace_url}/",
    )


async def _run_command(failing: str, environment: Mapping[str, str], *arguments: str) -> None:
    """Runs another command of the local cloud to its end; a cancelled start ends it."""
    process = await asyncio.create_subprocess_exec(
        *python("-m", "devcloud", *arguments),
        cwd=PROJECT,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if process.returncode:
        lines = output.decode(errors="replace").strip().splitlines() or ["no output"]
        raise StartFailed(f"{failing}: {lines[-1]}", process.returncode)
