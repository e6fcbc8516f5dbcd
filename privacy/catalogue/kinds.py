"""What a column may hold of a person, and what follows from it: whether it is exported, and what erasure does."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What a column holds, and so what becomes of it."""

    INTERNAL = "internal"  # our own keys and marks; nobody outside can do anything with them: not exported, stays
    FACT = "fact"  # instants, numbers, states: exported, stays, for hours and bills must not change
    ORGANISATION = "organisation"  # what the organisation calls its own things: exported, stays
    IDENTITY = "identity"  # who it is: exported, a pseudonym takes its place
    WORDS = "words"  # text: exported; the person's own is removed, in others' a pseudonym where it names them
    VERSION = "version"  # an entry as JSON, whose `note` is WORDS: exported, and nothing else of it is touched
    MENTIONS = "mentions"  # text of nobody's that may name people: exported, a pseudonym where the person is named
    COPY = "copy"  # what Azure DevOps showed: exported; what names the person is blanked, and may be read again
    ANSWER = "answer"  # an answer of ours: not exported; the person's own goes, others' that show them are emptied

    @property
    def is_exported(self) -> bool:
        return self not in {Kind.INTERNAL, Kind.ANSWER}

    @property
    def is_text(self) -> bool:
        """Whether people write it, so that it may name others."""
        return self in {Kind.WORDS, Kind.VERSION, Kind.MENTIONS}


class Rows(StrEnum):
    """What becomes of whole rows when their person, or their organisation, is erased."""

    STAY = "stay"
    GO = "go"


@dataclass(frozen=True, slots=True)
class Facts:
    """`of` are the columns that name whose row it is; none for rows that are nobody's. `by` name who did it.

    `at` is the column with the instant of a row with text, by which a super admin knows it.
    What is `own_only` is in the export that a person takes out of their own data, and in nobody else's.
    """

    about: str
    columns: Mapping[str, Kind]
    section: str | None = None  # of an export, as it is called there
    of: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    at: str | None = None
    person_erased: Rows = Rows.STAY
    tenant_erased: Rows = Rows.GO
    own_only: bool = False


def columns(**named: str) -> Mapping[str, Kind]:
    return MappingProxyType({name: Kind(kind) for kind, names in named.items() for name in names.split()})
