"""Tables of text, for the terminal and as Markdown for the documents."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table as RichTable


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text with as many columns as the head."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.head) for row in self.rows):
            raise ValueError(f"a row of {self.title!r} has another number of columns than its head")

    def markdown(self, omit: Container[str] = ()) -> str:
        """The table without the columns of these heads."""
        shown = [number for number, title in enumerate(self.head) if title not in omit]
        head, *rows = ([line[number] for number in shown] for line in (self.head, *self.rows))
        lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    def show(self, console: Console) -> None:
        rich_table = RichTable(title=self.title, title_justify="left", title_style="bold", header_style="dim")
        for number, title in enumerate(self.head):
            rich_table.add_column(title, justify="right" if number else "left", no_wrap=True)
        for row in self.rows:
            rich_table.add_row(*row, style="bold" if row[0] == "**ours**" else "")
        console.print(rich_table)
