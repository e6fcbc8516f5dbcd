"""Fills the generated parts of docs/privacy.md: policy, catalog and retention.

A part is between `<!-- generated: name -->` and `<!-- end -->`; the text around it is handwritten.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from privacy.catalog.columns import CATALOG
from privacy.catalog.kinds import CatalogEntry, DataKind, RowAction
from privacy.retention.rules import RETENTION
from shared.http.operation import OPERATIONS
from tools.docs.privacy.policy import POLICY


_PART: Final = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_RIGHTS: Final = "Rights"  # its calls are how people use them


def fill(page: str) -> str:
    """The page with its parts generated anew.

    Raises:
        KeyError: the page has an unknown part.
    """
    return _PART.sub(lambda match: f"{match[1]}\n{_text(PARTS[match[2]]())}\n{match[3]}", page)


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _policy() -> Iterator[str]:
    for title, sentences in POLICY.items():
        yield f"### {title}"
        yield ""
        if title == _RIGHTS:
            rows = ((each.says, each.does, ", ".join(map(_call, each.calls))) for each in sentences)
            yield from _table(("policy", "product", "calls"), rows)
        else:
            yield from _table(("policy", "product"), ((each.says, each.does) for each in sentences))
        yield ""


def _call(name: str) -> str:
    operation = OPERATIONS[name]
    return f"[`{operation.method} /api/{operation.path}`](api.md#{name})"


def _catalog() -> Iterator[str]:
    """The tables with personal data; the others have none."""
    for name, entry in CATALOG.items():
        if found := _personal_columns(entry):
            yield f"- `{name}`, {entry.about}: {', '.join(found)}; {_of_person(entry)}"
    remaining = (f"`{name}`" for name, entry in CATALOG.items() if entry.tenant_erased is RowAction.KEEP)
    yield from ("", f"Rows that stay at an organization's erasure: {', '.join(remaining)}.")


def _personal_columns(entry: CatalogEntry) -> list[str]:
    """The columns that name a person, then those with texts that may."""
    kinds = (DataKind.WORDS, DataKind.VERSION, DataKind.MENTIONS, DataKind.COPY, DataKind.ANSWER)
    return [
        *_columns_of_kind(entry, DataKind.IDENTITY),
        *(f"`{name}`" for name in (*entry.of, *entry.by) if name != "id"),
        *(name for kind in kinds for name in _columns_of_kind(entry, kind)),
    ]


def _of_person(entry: CatalogEntry) -> str:
    if entry.person_erased is RowAction.DELETE:
        return "deleted; responses to others lose their body" if _columns_of_kind(entry, DataKind.ANSWER) else "deleted"
    if _columns_of_kind(entry, DataKind.COPY):
        return "blanked if it names the person"
    return "pseudonym"


def _columns_of_kind(entry: CatalogEntry, kind: DataKind) -> list[str]:
    return [f"`{name}`" for name, column_kind in entry.columns.items() if column_kind is kind]


def _retention() -> Iterator[str]:
    """The classes of data with people; the others are without a person."""
    personal = {name for name, entry in CATALOG.items() if _personal_columns(entry)}
    rows = ((each.data, each.period, each.basis, each.action) for each in RETENTION if personal & {*each.tables})
    yield from _table(("data", "period", "reason", "then"), rows)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (heads, ("---",) * len(heads), *rows):
        yield f"| {' | '.join(row)} |"


PARTS: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "policy": _policy,
    "catalog": _catalog,
    "retention": _retention,
}
