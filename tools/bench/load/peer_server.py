"""TimeTagger from its package, in a separate virtual environment: installation, start, sign-in and data."""

import base64
import contextlib
import datetime as dt
import itertools
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests

from devcloud.ports import listen
from tools.bench.data import rows
from tools.bench.load.processes import LOG, PROJECT, Host, HostDied, terminate_at_exit


API: Final = "/timetagger/api/v2"
USERS: Final = 8
PYTHON: Final = PROJECT / ".venv-peer" / "bin" / "python"
_INSTALL: Final = ("scripts/venv", "requirements-peer.txt", ".venv-peer")
_PASSWORD: Final = "bench"  # noqa: S105 - of a temporary server on loopback
_READY_SECONDS: Final = 30
_BATCH: Final = 5_000


@dataclass(frozen=True, slots=True)
class Peer:
    """The running server with a token of each user."""

    host: Host
    tokens: list[str]


def records(month: str) -> str:
    """The path of the month's records; the server has no report, so the client sums up."""
    first = dt.datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
    after = (first + dt.timedelta(days=31)).replace(day=1)
    return f"{API}/records?timerange={first.timestamp():.0f}-{after.timestamp() - 1:.0f}"


def install() -> None:
    """Installs TimeTagger unless it is installed.

    Raises:
        HostDied: the installation failed and has shown the reason.
    """
    if subprocess.run(_INSTALL, cwd=PROJECT, check=False).returncode:  # noqa: S603 - our own command
        raise HostDied("TimeTagger, the peer, could not be installed")


@contextlib.contextmanager
def start_peer(folder: Path) -> Iterator[Peer]:
    """Starts the server on a free port, with its data in the folder.

    Raises:
        HostDied: it is not installed, it ended, or it did not respond in time.
    """
    if not PYTHON.exists():
        raise HostDied(f"TimeTagger is not installed; run {' '.join(_INSTALL)}")
    folder.mkdir(parents=True, exist_ok=True)
    with listen(0) as probe:
        port = probe.getsockname()[1]
    users, password_hash = [f"user{number}" for number in range(USERS)], _hash_password()
    command = [str(PYTHON), "-m", "timetagger", f"--bind=127.0.0.1:{port}", f"--datadir={folder}", "--log_level=error"]
    command.append("--credentials=" + ",".join(f"{user}:{password_hash}" for user in users))
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603 - the peer's own command
    with terminate_at_exit(process):
        _wait_until_ready(process, f"http://127.0.0.1:{port}/timetagger/status")
        login = f"http://127.0.0.1:{port}{API}/bootstrap_authentication"
        yield Peer(Host(port, process.pid), [_token(login, user) for user in users])


def fill(peer: Peer, entries: int) -> None:
    """Inserts records for the first user: the same number and times as the product's entries."""
    now, entries_left = int(time.time()), rows.rows(entries)
    headers = {"authtoken": peer.tokens[0]}
    while batch := [_record(entry, now) for entry, _ in itertools.islice(entries_left, _BATCH)]:
        url = f"http://127.0.0.1:{peer.host.port}{API}/records"
        requests.put(url, data=json.dumps(batch), headers=headers, timeout=60).raise_for_status()


def _record(entry: rows.Values, now: int) -> dict[str, Any]:
    values = dict(zip(rows.ENTRY, entry, strict=True))
    t1, t2 = (_seconds(str(values[name])) for name in ("started_at", "stopped_at"))
    description = f"#project{values['project_id']} work item {values['work_item_id']}"
    return {"key": str(values["public_id"])[-12:], "mt": now, "t1": t1, "t2": t2, "ds": description}


def _seconds(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp())


def _hash_password() -> str:
    """The bcrypt hash of the password, made in the peer's environment."""
    code = f"import bcrypt; print(bcrypt.hashpw({_PASSWORD.encode()!r}, bcrypt.gensalt(4)).decode())"
    return subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - as above


def _token(url: str, user: str) -> str:
    credentials = {"method": "usernamepassword", "username": user, "password": _PASSWORD}
    response = requests.post(url, data=base64.b64encode(json.dumps(credentials).encode()), timeout=10)
    response.raise_for_status()
    token: str = response.json()["token"]
    return token


def _wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            requests.get(url, timeout=5)
            return
        time.sleep(0.05)
    raise HostDied(f"TimeTagger did not start; see {LOG.relative_to(PROJECT)}")
