"""`python -m devcloud run`: the whole local cloud, from an empty directory to ready."""

import asyncio
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devcloud import banner, settings_file
from devcloud.children import ChildDied, Spec, python
from devcloud.ports import PortTaken, bound
from devcloud.supervise import Supervisor
from shared.settings import Settings, SettingsError


PROJECT = Path(__file__).resolve().parents[1]
DATABASE = "timetracker.db"
FAILED, USAGE = 1, 2


class NotStarted(Exception):
    """A step before the start went wrong; the text is what to tell."""


@dataclass(frozen=True, slots=True)
class Options:
    port: int
    data: Path
    fresh: bool
    timers: bool
    demo: bool

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
    except (PortTaken, SettingsError, settings_file.SettingsFileError) as error:
        banner.tell(str(error))
        return USAGE
    try:
        prepare_data(options)
        migrate(environment)
        asyncio.run(_supervise(options, environment))
    except (NotStarted, ChildDied) as error:
        banner.tell(str(error))
        return FAILED
    banner.tell("Stopped.")
    return 0


def environment_of(options: Options, given: Mapping[str, str]) -> dict[str, str]:
    """What the processes get: the user's environment first, then ours, then the settings file."""
    environment = dict(given)
    environment.setdefault("DATABASE_URL", f"sqlite:///{options.data / DATABASE}")
    environment["ENTRA_AUTHORITY"] = options.entra_url
    environment["ENTRA_KEYS_URL"] = f"{options.entra_url}/common/discovery/v2.0/keys"
    settings_file.load(PROJECT, environment)
    return environment


def prepare_data(options: Options) -> None:
    options.data.mkdir(parents=True, exist_ok=True)
    if options.fresh:
        for path in options.data.glob(f"{DATABASE}*"):
            path.unlink()


def migrate(environment: Mapping[str, str]) -> None:
    """Brings the database to the newest revision.

    Raises:
        NotStarted: Alembic failed; the text is its last line.
    """
    command = python("-m", "alembic", "-c", "alembic.ini", "upgrade", "head")
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise NotStarted(f"the database was not migrated: {said[-1]}")


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

    async def ready() -> None:
        if options.demo:
            await _load_demo(options, environment)
        banner.show(options.host_url, options.entra_url)

    await supervisor.run(ready)


async def _load_demo(options: Options, environment: Mapping[str, str]) -> None:
    loading = await asyncio.create_subprocess_exec(
        *python("-m", "devcloud", "demo", "--host", options.host_url, "--entra", options.entra_url),
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await loading.communicate()
    if loading.returncode:
        lines = said.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise NotStarted(f"the demo tenant was not loaded: {lines[-1]}")
