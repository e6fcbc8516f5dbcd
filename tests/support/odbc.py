"""Microsoft's ODBC driver for the tests: the one in a pip wheel, under unixODBC, installed when it is missing."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from shared.db.azure_sql import DRIVER


_MANAGER = (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "unixodbc"])


class NoDriver(Exception):
    """There is no way here to use the driver."""


@contextmanager
def required(folder: Path, certificate: Path) -> Iterator[None]:
    """The driver under the name that the app asks for, trusting one certificate.

    Where there can be none the test is skipped with the reason, and in CI fails.
    """
    try:
        _install()
        library = _library()
    except NoDriver as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must not go without Microsoft's ODBC driver: {reason}")
        pytest.skip(f"no ODBC driver: {reason}")
    (folder / "odbcinst.ini").write_text(f"[{DRIVER}]\nDriver={library}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ODBCSYSINI", str(folder))
        patch.setenv("SSL_CERT_FILE", str(certificate))
        yield


def _install() -> None:
    """Installs unixODBC, which pyodbc is built on and does not bring, once; other test processes wait meanwhile.

    Raises:
        NoDriver: it is missing and cannot be installed here.
    """
    with (Path(tempfile.gettempdir()) / f"timetracker-odbc-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            import pyodbc  # noqa: F401, PLC0415 - whether it can be
        except ImportError as missing:
            if os.getuid() != 0 or shutil.which("apt-get") is None:
                raise NoDriver(f"{missing} (on Debian: apt install unixodbc)") from missing
        else:
            return
        for command in _MANAGER:
            made = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
            if made.returncode != 0:
                raise NoDriver(f"{' '.join(command)} failed: {made.stderr[-500:]}")


def _library() -> Path:
    found = find_spec("mssql_python_odbc")
    places = found.submodule_search_locations if found is not None else None
    libraries = sorted(Path(places[0]).glob("libs/linux/debian_ubuntu/*/lib/libmsodbcsql-*")) if places else []
    if not libraries:
        raise NoDriver("mssql-python-odbc brings none for this machine")
    return libraries[-1]
