"""The command: runs the parts asked for, shows what became of their mutants, and fails where too few were noticed."""

import os
import signal
import subprocess
import sys
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from devcloud import signals
from tools.mutants.figures import Figures, figures_of, forget_survivors
from tools.mutants.parts import Part, parts, prepare


ENOUGH: Final = 85.0  # per cent


def main(
    names: Annotated[list[str] | None, typer.Argument(help="parts, as pyproject.toml has them; else all")] = None,
    sample: Annotated[
        int, typer.Option(help="draw so many mutants of each part, always the same; 0 is all", min=0)
    ] = 0,
    children: Annotated[int, typer.Option(help="mutants tested at a time", min=1)] = 2,
    *,
    again: Annotated[bool, typer.Option("--again", help="try anew what survived, after tests were added")] = False,
) -> None:
    """Changes the code in small ways, and counts the changes that no test notices. An interrupted run goes on."""
    known = parts()
    if unknown := set(names or ()) - known.keys():
        raise typer.BadParameter(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if again:
        for name in names or known:
            forget_survivors(known[name])
    found = {name: _run(known[name], sample, children) for name in names or known}
    _show(found)
    if any(each.noticed < ENOUGH for each in found.values()):
        raise typer.Exit(1)


def _run(part: Part, sample: int, children: int) -> Figures:
    """Exits with mutmut's code where the tests do not pass without a mutant."""
    prepare(part)
    drawn = {"MUTANTS_SAMPLE": str(sample)} if sample else {}
    elsewhere = {"TZ": "Asia/Kolkata"}  # as scripts/test: whoever asks the machine for its zone is wrong
    command = [sys.executable, "-m", "tools.mutants.run", "run", "--max-children", str(children)]
    environment = {**os.environ, **drawn, **elsewhere}
    with subprocess.Popen(command, cwd=part.directory, env=environment) as running:  # noqa: S603 - ours
        try:
            code = running.wait()
        except KeyboardInterrupt:
            running.send_signal(signal.SIGINT)  # mutmut ends its own processes by it
            running.wait()
            raise
    if code:
        raise typer.Exit(code)
    return figures_of(part)


def _show(found: dict[str, Figures]) -> None:
    table = Table(
        "part", "mutants", "at import", "tried", "killed", "timed out", "survived", "no test reaches", "noticed"
    )
    for name, each in found.items():
        counts = (each.mutants, each.at_import, each.tried, each.killed, each.timed_out, each.survived, each.unreached)
        table.add_row(name, *map(str, counts), f"{each.noticed:.1f} %")
    Console().print(table)


if __name__ == "__main__":
    signals.end_in_order()
    typer.run(main)
