"""Mutation testing: mutmut changes the code in small ways, one at a time; counts the changes that no test notices."""

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
ENOUGH: Final = 85.0  # per cent
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
    """Code, and the tests that are to notice what is changed in it.

    `without` is code that is left as it is, `slow` are tests that cost more than they notice.
    """

    name: str
    code: list[str]
    tests: list[str]
    without: list[str]
    slow: list[str]

    @property
    def directory(self) -> Path:
        return WORK / self.name


def parts() -> dict[str, Part]:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["timetracker"]["mutants"]
    return {name: Part(name, **{"without": [], "slow": [], **part}) for name, part in settings.items()}


def statuses(part: Part) -> dict[str, str]:
    """What became of each mutant, by its name, in mutmut's words."""
    from mutmut.stats import status_by_exit_code  # noqa: PLC0415 - it reads its settings from the current directory

    found: dict[str, str] = {}
    for path in (part.directory / "mutants").rglob("*.py.meta"):
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        found |= {name: status_by_exit_code[code] for name, code in codes.items()}
    return found


def noticed(counts: Counter[str]) -> float:
    """Per cent of the tried; what never ends is noticed, what no test reaches is not."""
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
    again: Annotated[
        bool, typer.Option("--again", help="test the surviving mutants again, after tests were added")
    ] = False,
) -> None:
    """Change the code in small ways, and count the changes that no test detects. An interrupted run continues."""
    known = parts()
    if unknown := set(names or ()) - known.keys():
        raise typer.BadParameter(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    columns = ("killed", "timeout", "survived", "no tests", "not checked")
    table = Table("part", *columns, "noticed")
    too_few = False
    for part in (known[name] for name in names or known):
        survivors = [name for name, status in statuses(part).items() if status in UNNOTICED] if again else []
        _run(part, [*(only or ()), *survivors], children)
        counts = Counter(statuses(part).values())
        table.add_row(part.name, *(str(counts[each]) for each in columns), f"{noticed(counts):.1f} %")
        too_few |= noticed(counts) < ENOUGH
    Console().print(table)
    if too_few:
        raise typer.Exit(1)


def _run(part: Part, mutants: list[str], children: int) -> None:
    """Exits with mutmut's code where the tests do not pass without a mutant."""
    _prepare(part)
    migrated = part.directory / "migrated.db"  # the first test makes it, and those of each mutant copy it
    migrated.unlink(missing_ok=True)
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(children), *mutants]
    elsewhere = {"TZ": "Asia/Kolkata"}  # as scripts/test: whoever asks the machine for its zone is wrong
    environment = {**os.environ, **elsewhere, "MIGRATED_SQLITE": str(migrated)}
    with subprocess.Popen(command, cwd=part.directory, env=environment) as running:  # noqa: S603 - ours
        try:
            code = running.wait()
        except KeyboardInterrupt:
            running.send_signal(signal.SIGINT)  # mutmut ends its own processes by it
            running.wait()
            raise
    if code:
        raise typer.Exit(code)


def _prepare(part: Part) -> None:
    """Lays out what mutmut reads: links to the project, and its settings of the part. Verdicts of before are kept."""
    part.directory.mkdir(parents=True, exist_ok=True)
    for name in (*_CODE, *_FILES, "tests"):
        link = part.directory / name
        if not link.is_symlink():
            link.symlink_to(PROJECT / name)
    given = {
        "source_paths": list(_CODE),
        "only_mutate": part.code,
        "do_not_mutate": part.without,
        "also_copy": list(_FILES),
        "pytest_add_cli_args": ["--hypothesis-profile=mutants", "-p", "no:cacheprovider"],
        # SQLite says what the code does; the other servers would say it again, slower.
        "pytest_add_cli_args_test_selection": [
            *part.tests,
            "-k",
            "not postgresql",
            *(f"--ignore={each}" for each in part.slow),
        ],
        "process_isolation": "forkserver",  # the tests start threads, which a fork of their process would lack
        "timeout_constant": 15.0,
        "track_dependencies": False,
        "use_git_change_detection": False,
        "on_dependency_change": "ignore",
    }
    settings = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    lines = [f"{key} = {json.dumps(value)}" for key, value in given.items()]
    (part.directory / "pyproject.toml").write_text("\n".join([settings, "[tool.mutmut]", *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    signals.end_in_order()
    app()
