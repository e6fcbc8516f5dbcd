"""npm programs for the tests, installed from their lock file at the first use."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


class NotInstalled(Exception):
    """The programs cannot be installed on this machine."""


def require(folder: Path) -> None:
    """Installs the packages of a folder. If that fails, the test is skipped with the reason, and fails in CI."""
    try:
        _install(folder)
    except NotInstalled as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must not go without {folder.name}: {reason}")
        pytest.skip(f"no {folder.name}: {reason}")


def _install(folder: Path) -> None:
    """Installs the packages of the lock file once; other test processes wait meanwhile.

    Raises:
        NotInstalled: node or npm is missing, or npm failed.
    """
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing:
        raise NotInstalled(f"{' and '.join(missing)} not found")
    digest = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()[:16]
    stamp = folder / "node_modules" / f".installed-{digest}"
    with (Path(tempfile.gettempdir()) / f"timetracker-{folder.name}-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists():
            return
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotInstalled(f"npm ci failed: {done.stderr[-500:]}")
        stamp.touch()
