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
    WORDS = "words"  # text by or about the person: exported; theirs is removed, in others' they are not named any more
    MENTIONS = "mentions"  # text that may name people: exported, and the person is not named in it any more

    @property
    def is_exported(self) -> bool:
        return self is not Kind.INTERNAL


class Rows(StrEnum):
    """What becomes of whole rows when their person, or their organisation, is erased."""

    STAY = "stay"
    GO = "go"


@dataclass(frozen=True, slots=True)
class Facts:
    """`of` are the columns that name whose row it is; none for rows that are nobody's. `by` name who did it.

    What is `own_only` is in the export that a person takes out of their own data, and in nobody else's.
    """

    about: str
    columns: Mapping[str, Kind]
    section: str | None = None  # of an export, as it is called there
    of: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    person_erased: Rows = Rows.STAY
    tenant_erased: Rows = Rows.GO
    own_only: bool = False


def columns(**named: str) -> Mapping[str, Kind]:
    return MappingProxyType({name: Kind(kind) for kind, names in named.items() for name in names.split()})
