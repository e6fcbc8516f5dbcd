"""Runs Alembic in this process, which saves the imports of a new one."""

import sys
from pathlib import Path
from typing import Final

import pytest
from alembic.config import main


_INI: Final = Path(__file__).resolve().parents[2] / "alembic.ini"


def alembic(url: str, *arguments: str) -> None:
    """Runs a command of Alembic on a database; raises its errors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        patch.setattr(sys, "path", [*sys.path])  # Alembic changes it
        main(["--raiseerr", "--config", str(_INI), *arguments])
