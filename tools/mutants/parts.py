"""The parts that are mutated, as pyproject.toml names them, and the directory in which mutmut works on each."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final


PROJECT: Final = Path(__file__).resolve().parents[2]
WORK: Final = PROJECT / "build" / "mutants"
_TREE: Final = (
    "billing",
    "devcloud",
    "migrations",
    "ops",
    "privacy",
    "reports",
    "shared",
    "tenants",
    "timers",
    "webhooks",
)
# SQLite says what the code does; the other servers would say it again, slower.
_SQLITE: Final = ("-k", "not postgresql")
# No cache, and no errors for sockets of the process a lane was forked from.
_PLAIN: Final = ("-p", "no:cacheprovider", "-p", "no:unraisableexception")
_FILES: Final = ("alembic.ini", "function_app.py", "host.json")


@dataclass(frozen=True)
class Part:
    """Code, and the tests that are to notice what is changed in it.

    `without` is code that is left as it is, `slow` are tests that cost more than they notice.
    """

    name: str
    code: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        return WORK / self.name


def parts() -> dict[str, Part]:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    found: Mapping[str, Mapping[str, list[str]]] = settings["tool"]["timetracker"]["mutants"]
    return {name: Part(name, **{key: tuple(value) for key, value in part.items()}) for name, part in found.items()}


def prepare(part: Part) -> None:
    """Lays out what mutmut reads: links to the project, and its settings of the part. Verdicts of before are kept."""
    part.directory.mkdir(parents=True, exist_ok=True)
    for name in (*_TREE, *_FILES, "tests"):
        link = part.directory / name
        if not link.is_symlink():
            link.symlink_to(PROJECT / name)
    settings = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    lines = [f"{key} = {json.dumps(value)}" for key, value in _settings(part).items()]
    (part.directory / "pyproject.toml").write_text("\n".join([settings, "[tool.mutmut]", *lines, ""]), encoding="utf-8")


def _settings(part: Part) -> dict[str, object]:
    return {
        "source_paths": list(_TREE),
        "only_mutate": list(part.code),
        "do_not_mutate": list(part.without),
        "also_copy": list(_FILES),
        "pytest_add_cli_args": ["--hypothesis-profile=mutants", *_PLAIN],
        "pytest_add_cli_args_test_selection": [*part.tests, *_SQLITE, *(f"--ignore={slow}" for slow in part.slow)],
        "timeout_constant": 15.0,
        "timeout_multiplier": 4.0,
        "track_dependencies": False,
        "use_git_change_detection": False,
        "on_dependency_change": "ignore",
    }
