"""Azure Table Storage for the tests: Azurite, Microsoft's emulator, installed from its lock file at the first use."""

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from azure.data.tables import TableServiceClient

from tests.support import npm


FOLDER = Path(__file__).resolve().parents[1] / "azurite"
# Microsoft's published key of every emulator: no secret.
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_OPTIONS = ("--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry")


@dataclass(frozen=True)
class Azurite:
    port: int
    process: subprocess.Popen[bytes]

    @property
    def connection_string(self) -> str:
        return connection_string(self.port)

    def everything(self) -> Iterator[tuple[str, str]]:
        """All values of all tables, as text with their column."""
        with TableServiceClient.from_connection_string(self.connection_string) as service:
            for table in service.list_tables():
                for row in service.get_table_client(table.name).list_entities():
                    yield from ((f"{table.name}.{name}", str(value)) for name, value in row.items())

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)


def connection_string(port: int) -> str:
    return (
        f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={_KEY};"
        f"TableEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
    )


@contextlib.contextmanager
def required() -> Iterator[Azurite]:
    """A running Azurite. If it cannot be installed, the test is skipped with the reason, and fails in CI."""
    npm.require(FOLDER)
    with _running() as azurite:
        yield azurite


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def _running() -> Iterator[Azurite]:
    port = free_port()
    program = FOLDER / "node_modules" / ".bin" / "azurite-table"
    with tempfile.TemporaryDirectory(prefix="timetracker-azurite-") as folder:
        command = [str(program), "--tableHost", "127.0.0.1", "--tablePort", str(port), *_OPTIONS]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        azurite = Azurite(port, process)
        try:
            _wait_for(azurite)
            yield azurite
        finally:
            azurite.stop()


def _wait_for(azurite: Azurite) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", azurite.port), timeout=1):
            return
        assert azurite.process.poll() is None, "Azurite ended at once"
        time.sleep(0.05)
    raise TimeoutError("Azurite does not listen")
