"""Mutation testing: mutmut makes small changes to the code; counts those that no test notices."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from devcloud import signals


PROJECT: Final = Path(__file__).resolve().parents[1]
WORK: Final = PROJECT / "build" / "mutants"
MIN_NOTICED: Final = 85.0  # per cent
UNNOTICED: Final = ("survived", "no tests")
_CODE: Final = (
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
_FILES: Final = ("alembic.ini", "function_app.py", "host.json")


@dataclass(frozen=True)
class Part:
    """Code with its tests.

    Code in `without` is not changed; `slow` tests are not run.
    """

    name: str
    code: list[str]
    tests: list[str]
    without: list[str]
    slow: list[str]

    @property
    def directory(self) -> Path:
        return WORK / self.name


def load_parts() -> dict[str, Part]:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["timetracker"]["mutants"]
    return {name: Part(name, **{"without": [], "slow": [], **part}) for name, part in settings.items()}


def load_statuses(part: Part) -> dict[str, str]:
    """The status of each mutant by name, as mutmut calls it."""
    from mutmut.stats import status_by_exit_code  # noqa: PLC0415 - reads settings from the current directory

    statuses: dict[str, str] = {}
    for path in (part.directory / "mutants").rglob("*.py.meta"):
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        statuses |= {name: status_by_exit_code[code] for name, code in codes.items()}
    return statuses


def compute_noticed(counts: Counter[str]) -> float:
    """Percentage of tried mutants; a timeout counts as noticed, an unreached mutant does not."""
    tried = counts.total() - counts["not checked"]
    return 100 * (1 - sum(counts[each] for each in UNNOTICED) / tried) if tried else 0.0


app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="PART", help="parts, defined in pyproject.toml; all by default")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="only mutants with this name, like billing.closing.rules.*")
    ] = None,
    children: Annotated[int, typer.Option(metavar="N", help="mutants tested at the same time", min=1)] = 2,
    *,
    retry: Annotated[
        bool, typer.Option("--again", help="test the surviving mutants again, after tests were added")
    ] = False,
) -> None:
    """Change the code in small ways, and count the changes that no test detects. An interrupted run continues."""
    parts = load_parts()
    if unknown := set(names or ()) - parts.keys():
        raise typer.BadParameter(f"unknown part: {', '.join(sorted(unknown))}; the parts are {', '.join(parts)}")
    columns = ("killed", "timeout", "survived", "no tests", "not checked")
    table = Table("part", *columns, "noticed")
    too_few = False
    for part in (parts[name] for name in names or parts):
        survivors = [name for name, status in load_statuses(part).items() if status in UNNOTICED] if retry else []
        _run_mutmut(part, [*(only or ()), *survivors], children)
        counts = Counter(load_statuses(part).values())
        table.add_row(part.name, *(str(counts[each]) for each in columns), f"{compute_noticed(counts):.1f} %")
        too_few |= compute_noticed(counts) < MIN_NOTICED
    Console().print(table)
    if too_few:
        raise typer.Exit(1)


def _run_mutmut(part: Part, mutants: list[str], children: int) -> None:
    """Exits with mutmut's code if the tests fail without a mutant."""
    _prepare_directory(part)
    migrated = part.directory / "migrated.db"  # made by the first test, copied by all others
    migrated.unlink(missing_ok=True)
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(children), *mutants]
    other_zone = {"TZ": "Asia/Kolkata"}  # as scripts/test: code must not use the machine's zone
    environment = {**os.environ, **other_zone, "MIGRATED_SQLITE": str(migrated)}
    with subprocess.Popen(command, cwd=part.directory, env=environment) as process:  # noqa: S603 - ours
        try:
            code = process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)  # mutmut then ends its processes
            process.wait()
            raise
    if code:
        raise typer.Exit(code)


def _prepare_directory(part: Part) -> None:
    """Prepares mutmut's directory: links to the project and settings of the part. Earlier results stay."""
    part.directory.mkdir(parents=True, exist_ok=True)
    for name in (*_CODE, *_FILES, "tests"):
        link = part.directory / name
        if not link.is_symlink():
            link.symlink_to(PROJECT / name)
    mutmut_settings = {
        "source_paths": list(_CODE),
        "only_mutate": part.code,
        "do_not_mutate": part.without,
        "also_copy": list(_FILES),
        "pytest_add_cli_args": ["--hypothesis-profile=mutants", "-p", "no:cacheprovider"],
        # SQLite is enough here; other servers are slower.
        "pytest_add_cli_args_test_selection": [
            *part.tests,
            "-k",
            "not postgresql",
            *(f"--ignore={each}" for each in part.slow),
        ],
        "process_isolation": "forkserver",  # a fork would lack the threads of the tests
        "timeout_constant": 15.0,
        "track_dependencies": False,
        "use_git_change_detection": False,
        "on_dependency_change": "ignore",
    }
    settings = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    lines = [f"{key} = {json.dumps(value)}" for key, value in mutmut_settings.items()]
    (part.directory / "pyproject.toml").write_text("\n".join([settings, "[tool.mutmut]", *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    signals.end_in_order()
    app()
