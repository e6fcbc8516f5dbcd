"""`python -m devcloud run`: the whole local cloud, from an empty directory to ready."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devcloud import banner, missing, settings_file
from devcloud.children import ChildDied, Spec, python
from devcloud.ports import PortUnusable, bound
from devcloud.supervise import Supervisor
from shared.settings import Settings, SettingsError


PROJECT = Path(__file__).resolve().parents[1]
DATABASE = "timetracker.db"
DEMO = "demo-loaded"
FAILED, USAGE = 1, 2


class NotStarted(Exception):
    """A step before the start went wrong; the text is what to tell."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


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


def run(options: Options) -> int:
    """Runs until stopped; the exit code."""
    try:
        for port in (options.port, options.port + 1):
            bound(port).close()
        environment = environment_of(options, os.environ)
        Settings.from_env(environment)
    except (PortUnusable, SettingsError, settings_file.SettingsFileError) as error:
        banner.tell(str(error))
        return USAGE
    try:
        prepare_data(options)
        asyncio.run(_supervise(options, environment))
    except (NotStarted, ChildDied) as error:
        banner.tell(str(error))
        return missing.EXIT_CODE if error.code == missing.EXIT_CODE else FAILED
    banner.tell("Stopped.")
    return 0


def environment_of(options: Options, given: Mapping[str, str]) -> dict[str, str]:
    """What the processes get: the user's environment first, then ours, then the settings file."""
    environment = dict(given)
    environment.setdefault("DATABASE_URL", options.database_url)
    environment["ENTRA_AUTHORITY"] = options.entra_url
    environment["ENTRA_KEYS_URL"] = f"{options.entra_url}/common/discovery/v2.0/keys"
    settings_file.load(PROJECT, environment)
    return environment


def prepare_data(options: Options) -> None:
    options.data.mkdir(parents=True, exist_ok=True)
    if options.fresh:
        for path in options.data.glob(f"{DATABASE}*"):
            path.unlink()


async def migrate(environment: Mapping[str, str]) -> None:
    """Brings the database to the newest revision.

    Raises:
        NotStarted: Alembic failed; the text is its last line.
    """
    await _done("the database was not migrated", environment, "migrate")


async def _supervise(options: Options, environment: Mapping[str, str]) -> None:
    timers = ["--timers"] if options.timers else []
    host = Spec(
        "host",
        python("-m", "devcloud", "host", "--app", str(PROJECT), "--port", str(options.port), *timers),
        f"{options.host_url}/api/health",
    )
    entra = Spec(
        "entra",
        python("-m", "devcloud", "entra", "--port", str(options.port + 1), "--data", str(options.data)),
        f"{options.entra_url}/common/v2.0/.well-known/openid-configuration",
    )
    supervisor = Supervisor([host, entra], environment, project=PROJECT, show=banner.tell)
    os.chdir(PROJECT)

    demo = _demo_is_owed(options, environment)

    async def ready() -> None:
        if demo:
            await _done("the demo tenant was not loaded", environment, "demo")
            (options.data / DEMO).write_text(environment["DATABASE_URL"])
        banner.show(options.host_url, options.entra_url)

    await supervisor.run(lambda: migrate(environment), ready)


def _demo_is_owed(options: Options, environment: Mapping[str, str]) -> bool:
    """Looking into the database would cost every start a second, so a file says which one has the demo."""
    noted = options.data / DEMO
    kept = environment["DATABASE_URL"] != options.database_url or (options.data / DATABASE).exists()
    return options.demo and not (kept and noted.exists() and noted.read_text() == environment["DATABASE_URL"])


async def _done(failing: str, environment: Mapping[str, str], *arguments: str) -> None:
    """Runs another command of ours to its end; a cancelled start ends it as well."""
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
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise NotStarted(f"{failing}: {lines[-1]}", process.returncode)
