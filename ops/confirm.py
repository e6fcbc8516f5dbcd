"""The options of a command that changes data, the question before the change, and the report after it."""

import sys
from dataclasses import dataclass
from typing import Annotated, Any, Self, TypeAlias

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from ops.errors import CommandRejected, WrongUsage
from ops.output import Fields, format_value, print_json, stderr_console, to_json


Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="do not ask before the change")]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="show the change, and change nothing")]


def require_yes(question: str, *, yes: bool) -> None:
    """Asks the operator, unless `--yes` has answered.

    Raises:
        CommandRejected: the operator cancelled.
        WrongUsage: there is no terminal to ask on.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongUsage("there is no terminal to confirm on; nothing was changed; --yes skips the question")
    stderr_console().print(Text(f"{question} [y/N] "), end="")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CommandRejected("cancelled; nothing was changed")


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """The options --yes, --dry-run and --json of a command."""

    yes: bool
    dry_run: bool
    as_json: bool

    def require_yes(self, question: str) -> None:
        """As the function of this name."""
        require_yes(question, yes=self.yes)


@dataclass(frozen=True, slots=True)
class ProposedChange:
    """The fields that change, before and after, and always the plan."""

    slug: str
    before: Fields
    after: Fields

    @classmethod
    def between(cls, slug: str, before: Fields, after: Fields) -> Self:
        names = [name for name in before if name == "plan" or before[name] != after[name]]
        return cls(
            slug, {name: to_json(before[name]) for name in names}, {name: to_json(after[name]) for name in names}
        )

    @property
    def is_empty(self) -> bool:
        return self.before == self.after

    def confirm(self, options: ChangeOptions) -> bool:
        """Shows the change and asks; False where there is nothing to change, and in a dry run.

        Raises:
            CommandRejected: the operator cancelled.
            WrongUsage: there is no terminal to ask on.
        """
        if self.is_empty:
            stderr_console().print(f"{self.slug} has these values already; nothing was changed.")
        else:
            self._print()
        if self.is_empty or options.dry_run:
            self.report(options, changed=False)
            return False
        options.require_yes("Apply this change?")
        return True

    def report(self, options: ChangeOptions, *, changed: bool) -> None:
        if changed:
            stderr_console().print(f"{self.slug} was changed; recorded in the audit log.")
        elif not self.is_empty and options.dry_run:
            stderr_console().print("Dry run: nothing was changed.")
        if options.as_json:
            document: dict[str, Any] = {"slug": self.slug, "changed": changed}
            print_json({**document, "before": self.before, "after": self.after})

    def _print(self) -> None:
        table = Table("", "before", "after", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for name, before in self.before.items():
            style = "bold" if before != self.after[name] else ""
            table.add_row(name, Text(format_value(before)), Text(format_value(self.after[name]), style=style))
        stderr_console().print(Text(self.slug, style="bold"), table, sep="\n")
