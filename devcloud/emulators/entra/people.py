"""The demo directories and people, with fixed ids for the demo data."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Directory:
    """One customer's (or the vendor's) Entra directory."""

    tid: str
    name: str
    domain: str


@dataclass(frozen=True, slots=True)
class Person:
    """One account in one directory; a guest has another account, with another oid, in the home directory."""

    short: str
    name: str
    email: str
    oid: str
    directory: Directory
    home: Directory
    has_verified_email: bool = True  # the home directory has verified the domain

    @property
    def is_guest(self) -> bool:
        return self.directory != self.home


CONTOSO: Final = Directory("72f988bf-86f1-41af-91ab-2d7cd011db47", "Contoso", "contoso.example")
FABRIKAM: Final = Directory("fa15d692-e9c7-4460-a743-29f29522aaaa", "Fabrikam", "fabrikam.example")
NORTHWIND: Final = Directory("3b1c6f0e-5d2a-4f8b-9c47-6a0e1d2f3b4c", "Northwind", "northwind.example")
VENDOR: Final = Directory("0f2e8c1a-7b3d-4e5f-8a96-1c2d3e4f5a6b", "TimeTracker", "timetracker.example")
DIRECTORIES: Final = {each.tid: each for each in (CONTOSO, FABRIKAM, NORTHWIND, VENDOR)}
_ADDED: Final[list[Person]] = []


def _person(short: str, name: str, oid: str, directory: Directory, home: Directory | None = None) -> Person:
    home = home or directory
    return Person(short, name, f"{short.partition('-')[0]}@{home.domain}", oid, directory, home)


PEOPLE: Final = (
    _person("ada", "Ada Lovelace", "690222be-ff1a-4d56-abd1-7e4f7d38e474", CONTOSO),
    _person("ben", "Ben Okafor", "1c7d5e3a-9b42-4c1f-8e60-52a7b9d0c3f1", CONTOSO),
    _person("chloe", "Chloe Martin", "8f3e6a2d-4c15-4b7e-a9d8-0e1f2a3b4c5d", CONTOSO),
    _person("dana", "Dana Cruz", "d4a1c0de-5b6f-4a7e-8c9d-0e1f2a3b4c5e", CONTOSO),
    _person("eli", "Eli Novak", "e11e5b6f-7c8d-4e9f-a0b1-c2d3e4f5a6b7", CONTOSO),
    _person("gus", "Gus Berg", "02223b6b-aa1d-42d4-9ec0-1b2bb9194438", CONTOSO, home=FABRIKAM),
    _person("bob", "Bob Fabri", "aaaaaaaa-0000-4000-8000-000000000001", FABRIKAM),
    _person("fay", "Fay Lindqvist", "aaaaaaaa-0000-4000-8000-000000000002", FABRIKAM),
    _person("gus-home", "Gus Berg", "aaaaaaaa-0000-4000-8000-000000000003", FABRIKAM),
    _person("nora", "Nora Winter", "bbbbbbbb-0000-4000-8000-000000000001", NORTHWIND),
    _person("vera", "Vera Stone", "cccccccc-0000-4000-8000-000000000001", VENDOR),
)


def add_people(*people: Person) -> None:
    """Adds people and their directories to the emulators of this process."""
    _ADDED.extend(people)
    DIRECTORIES.update({person.directory.tid: person.directory for person in people})


@contextmanager
def temporary_people() -> Iterator[None]:
    """Removes people and directories added in the block at its end."""
    count, directories = len(_ADDED), set(DIRECTORIES)
    try:
        yield
    finally:
        del _ADDED[count:]
        for tid in DIRECTORIES.keys() - directories:
            del DIRECTORIES[tid]


def people_of(tid: str | None) -> list[Person]:
    """The accounts of one directory; for None (any organization) those in their home directories, as in Entra."""
    return [
        person for person in (*PEOPLE, *_ADDED) if (not person.is_guest if tid is None else person.directory.tid == tid)
    ]


def find_person(name: str, tid: str | None = None) -> Person | None:
    """An account by short name, e-mail or oid, in one directory or, for None, in the home directory.

    Short names and oids are unique, so without a directory they also find guests.
    """
    key = name.strip().lower()
    exact_matches = [
        person
        for person in (*PEOPLE, *_ADDED)
        if key in (person.short, person.oid) and tid in (None, person.directory.tid)
    ]
    return next(iter([*exact_matches, *(person for person in people_of(tid) if person.email == key)]), None)
