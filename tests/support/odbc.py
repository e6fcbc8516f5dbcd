"""Microsoft's ODBC driver for the tests: the one in a pip wheel, under unixODBC, installed when it is missing."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from shared.db.azure_sql import DRIVER


# The driver manager of pyodbc, and a library for Microsoft's driver
_PACKAGES = ("unixodbc", "libgssapi-krb5-2")
_APT = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300")  # another installation may be running
_INSTALL = (*_APT, "install", "-y", "--no-install-recommends", *_PACKAGES)
_ELSEWHERE = "install unixODBC: `sudo apt install unixodbc` on Debian and Ubuntu, `brew install unixodbc` on macOS"


class NoDriver(Exception):
    """The driver cannot be used on this machine."""


@contextmanager
def required(folder: Path, certificate: Path | None) -> Iterator[None]:
    """Registers the driver under the app's name for it; it also trusts `certificate`.

    Without a driver the test is skipped with the reason; in CI, and with a given SQL Server, it fails.
    """
    try:
        _install()
        library = _library()
    except NoDriver as reason:
        if os.environ.get("CI") == "true" or os.environ.get("TEST_MSSQL_URL"):
            pytest.fail(f"these tests must not go without Microsoft's ODBC driver: {reason}")
        pytest.skip(f"no ODBC driver: {reason}")
    (folder / "odbcinst.ini").write_text(f"[{DRIVER}]\nDriver={library}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ODBCSYSINI", str(folder))
        if certificate is not None:
            before = os.environ.get("SSL_CERT_FILE")
            trusted = [Path(before).read_text()] if before else []
            (folder / "trusted.pem").write_text("".join([*trusted, certificate.read_text()]))
            patch.setenv("SSL_CERT_FILE", str(folder / "trusted.pem"))
        yield


def _install() -> None:
    """Installs unixODBC, the driver manager of pyodbc, once; other test processes wait meanwhile.

    Raises:
        NoDriver: it is missing and cannot be installed here.
    """
    with (Path(tempfile.gettempdir()) / f"timetracker-odbc-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = _missing()
        if not missing:
            return
        if os.getuid() != 0 or shutil.which("apt-get") is None:
            raise NoDriver(f"{missing}; {_ELSEWHERE}")
        # The package lists may be missing, as in a container image, or too old
        failed = _run(_INSTALL) and (_run((*_APT, "update")) or _run(_INSTALL))
        if failed or (failed := _missing()):
            raise NoDriver(f"{failed}; {_ELSEWHERE}")


def _missing() -> str:
    """The error of importing pyodbc in a new process; empty on success."""
    asked = subprocess.run([sys.executable, "-c", "import pyodbc"], capture_output=True, text=True, check=False)
    return asked.stderr.strip().rpartition("\n")[2]


def _run(command: Sequence[str]) -> str:
    """The error of a command; empty on success."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    made = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return "" if made.returncode == 0 else f"{' '.join(command)} failed: {made.stderr[-500:]}"


def _library() -> Path:
    found = find_spec("mssql_python_odbc")
    places = found.submodule_search_locations if found is not None else None
    libraries = sorted(Path(places[0]).glob("libs/linux/debian_ubuntu/*/lib/libmsodbcsql-*")) if places else []
    if not libraries:
        raise NoDriver("mssql-python-odbc brings none for this machine")
    return libraries[-1]
