"""The kinds of data in columns: they decide about export and erasure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class DataKind(StrEnum):
    """The kind of data in a column."""

    INTERNAL = "internal"  # keys and marks without meaning outside: not exported, kept
    FACT = "fact"  # instants, numbers, states: exported, kept, since hours and bills must not change
    ORGANIZATION = "organization"  # the organization's own names: exported, kept
    IDENTITY = "identity"  # exported, replaced by a pseudonym
    WORDS = "words"  # text: exported; the person's own is removed, mentions in others' are redacted
    VERSION = "version"  # an entry or running timer as JSON: exported; only its `note` is text, as WORDS
    MENTIONS = "mentions"  # text of nobody that may mention people: exported, mentions are redacted
    COPY = "copy"  # of Azure DevOps: exported; blanked if it mentions the person, and can be read again
    ANSWER = "answer"  # a stored response: not exported; the person's own is removed, others' lose their body

    @property
    def is_exported(self) -> bool:
        return self not in {DataKind.INTERNAL, DataKind.ANSWER}

    @property
    def is_text(self) -> bool:
        """Whether it is text by people, which may mention others."""
        return self in {DataKind.WORDS, DataKind.VERSION, DataKind.MENTIONS}


class RowAction(StrEnum):
    """The effect of an erasure on whole rows."""

    KEEP = "keep"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """The data of a table.

    `of` are the columns with the person of a row, `by` those with the actor. `at` is the time of a row with text, which
    a super admin sees in the list of mentions. A table that is `own_only` is exported to its person only.
    """

    about: str
    columns: Mapping[str, DataKind]
    section: str | None = None  # of an export
    of: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    at: str | None = None
    person_erased: RowAction = RowAction.KEEP
    tenant_erased: RowAction = RowAction.DELETE
    own_only: bool = False


def columns(**named: str) -> Mapping[str, DataKind]:
    return MappingProxyType({name: DataKind(kind) for kind, names in named.items() for name in names.split()})
