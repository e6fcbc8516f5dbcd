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
from tools.docs.privacy.policy import POLICY, Sentence


_PART: Final = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_TENANT_ERASED: Final = {RowAction.KEEP: "rows stay", RowAction.DELETE: "rows deleted"}


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
        yield from _table(("policy", "product", "calls", "tests"), map(_sentence_row, sentences))
        yield ""


def _sentence_row(each: Sentence) -> tuple[str, ...]:
    calls = ", ".join(_call(name) for name in each.calls)
    return each.says, each.does, calls, ", ".join(dict.fromkeys(map(_test_file, each.tests)))


def _call(name: str) -> str:
    operation = OPERATIONS[name]
    return f"[`{operation.method} /api/{operation.path}`](api.md#{name})"


def _test_file(name: str) -> str:
    path = name.partition("::")[0]
    return f"[{path.removesuffix('.py')}](../tests/{path})"


def _catalog() -> Iterator[str]:
    heads = (
        "table",
        "content",
        "columns with a person",
        "texts that may name people",
        "erasure of a person",
        "erasure of the organization",
    )
    rows = ((f"`{name}`", entry.about, *_personal(entry)) for name, entry in CATALOG.items())
    yield from _table(heads, rows)


def _personal(entry: CatalogEntry) -> tuple[str, str, str, str]:
    identity_columns = [
        *_columns_of_kind(entry, DataKind.IDENTITY),
        *(f"`{name}`" for name in (*entry.of, *entry.by) if name != "id"),
    ]
    text_columns = [
        name
        for kind in (DataKind.WORDS, DataKind.VERSION, DataKind.MENTIONS, DataKind.COPY)
        for name in _columns_of_kind(entry, kind)
    ]
    text_columns += _columns_of_kind(entry, DataKind.ANSWER)
    person_effect = _of_person(entry, has_personal_data=bool(identity_columns or text_columns))
    return ", ".join(identity_columns), ", ".join(text_columns), person_effect, _TENANT_ERASED[entry.tenant_erased]


def _of_person(entry: CatalogEntry, *, has_personal_data: bool) -> str:
    if entry.person_erased is RowAction.DELETE:
        return (
            "rows deleted; responses to others lose their body"
            if _columns_of_kind(entry, DataKind.ANSWER)
            else "rows deleted"
        )
    if _columns_of_kind(entry, DataKind.COPY):
        return "blanked if it names the person"
    return "pseudonym" if has_personal_data else ""


def _columns_of_kind(entry: CatalogEntry, kind: DataKind) -> list[str]:
    return [f"`{name}`" for name, column_kind in entry.columns.items() if column_kind is kind]


def _retention() -> Iterator[str]:
    rows = (
        (each.data, ", ".join(f"`{name}`" for name in each.tables), each.period, each.basis, each.action)
        for each in RETENTION
    )
    yield from _table(("data", "tables", "period", "reason", "then"), rows)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (heads, ("---",) * len(heads), *rows):
        yield f"| {' | '.join(row)} |"


PARTS: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "policy": _policy,
    "catalog": _catalog,
    "retention": _retention,
}
