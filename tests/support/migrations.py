"""Alembic in the process of the tests: a process of its own for each step would first import the product."""

import sys
from pathlib import Path
from typing import Final

import pytest
from alembic.config import main


_INI: Final = Path(__file__).resolve().parents[2] / "alembic.ini"


def alembic(url: str, *arguments: str) -> None:
    """Runs a command of Alembic's on a database; what goes wrong is raised."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        patch.setattr(sys, "path", [*sys.path])  # to which Alembic adds
        main(["--raiseerr", "--config", str(_INI), *arguments])
