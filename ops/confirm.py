"""Shows what a change would make of a tenant, asks, and reports what became of it."""

import sys
from dataclasses import dataclass
from typing import Annotated, Any, Self, TypeAlias

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from ops.exits import Refused, Unusable
from ops.output import Fields, aside, plain, print_json, shown


Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="do it without asking")]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="show what would change, and change nothing")]


@dataclass(frozen=True, slots=True)
class Asked:
    """How the operator wants a change to be made."""

    yes: bool
    dry_run: bool
    as_json: bool

    def require_yes(self, question: str) -> None:
        """Lets through what the operator agrees to, here or by --yes.

        Raises:
            Refused: the operator says no.
            Unusable: there is nobody to ask.
        """
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise Unusable("there is no terminal to ask on; nothing was changed; give --yes to go on without asking")
        aside().print(Text(f"{question} [y/N] "), end="")
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise Refused("nothing was changed")


@dataclass(frozen=True, slots=True)
class Change:
    """The fields that would be different, before and after; the plan is always among them, so that it reads alone."""

    slug: str
    before: Fields
    after: Fields

    @classmethod
    def between(cls, slug: str, before: Fields, after: Fields) -> Self:
        kept = [name for name in before if name == "plan" or before[name] != after[name]]
        return cls(slug, {name: plain(before[name]) for name in kept}, {name: plain(after[name]) for name in kept})

    @property
    def is_one(self) -> bool:
        return self.before != self.after

    def agreed(self, asked: Asked) -> bool:
        """Whether to go on: there is something to change, it is no dry run, and the operator says yes.

        Raises:
            Refused: the operator says no.
            Unusable: there is nobody to ask.
        """
        if not self.is_one:
            aside().print(f"{self.slug} has these terms already; nothing was changed.")
        else:
            self._show()
        if not self.is_one or asked.dry_run:
            self.report(asked, changed=False)
            return False
        asked.require_yes("Change it?")
        return True

    def report(self, asked: Asked, *, changed: bool) -> None:
        if changed:
            aside().print(f"{self.slug} was changed; the audit log has it.")
        elif self.is_one and asked.dry_run:
            aside().print("A dry run: nothing was changed.")
        if asked.as_json:
            document: dict[str, Any] = {"slug": self.slug, "changed": changed}
            print_json({**document, "before": self.before, "after": self.after})

    def _show(self) -> None:
        table = Table("", "before", "after", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for name, before in self.before.items():
            style = "bold" if before != self.after[name] else ""
            table.add_row(name, Text(shown(before)), Text(shown(self.after[name]), style=style))
        aside().print(Text(self.slug, style="bold"), table, sep="\n")
