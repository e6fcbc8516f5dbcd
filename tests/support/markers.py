"""Marker values in every test request, which logs and tables must not contain, and the identifiers of test people."""

import re
from collections.abc import Iterable
from typing import Final


AGENT: Final = "MarkedAgent/7.1"
ADDRESS: Final = "203.0.113.77"  # for documentation (RFC 5737)
PLACE: Final = "Marked-upon-Avon"
# As a browser and Azure's front end send them.
HEADERS: Final = {
    "User-Agent": AGENT,
    "X-Forwarded-For": f"{ADDRESS}:50123",
    "X-Azure-ClientIP": ADDRESS,
    "X-Azure-SocketIP": ADDRESS,
    "CLIENT-IP": f"{ADDRESS}:50123",
    "X-Client-City": PLACE,
}
_IDENTIFIER: Final = re.compile(r"[\w.+-]+@[\w.-]+\w|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_people: dict[str, tuple[str, ...]] = {}


def fold_case(text: str) -> str:
    """Lower case of an ASCII text; other texts unchanged, since a Kelvin sign would become a k."""
    return text.lower() if text.isascii() else text


def add_person(oid: str, *identifiers: str) -> None:
    """Remembers a person with a token, and their identifiers."""
    _people[oid] = tuple(map(fold_case, (oid, *identifiers)))


def clear_people() -> None:
    """Forgets all people, for the next database."""
    _people.clear()


def identifiers_without_account(accounts: Iterable[str]) -> dict[str, str]:
    """Identifiers of people without an account (never added, refused, or erased), each with the person's object id.

    An account has an object id, or the address of its invitation; people who share the address count as known.
    """
    known = set(accounts)
    known |= {each for oid in known & _people.keys() for each in _people[oid]}
    return {each: oid for oid, identifiers in _people.items() for each in identifiers if each not in known}


def find_identifiers(values: Iterable[tuple[str, str]], whom: dict[str, str]) -> set[tuple[str, str]]:
    """The columns with an identifier of these people, each with the person's object id."""
    return {
        (where, whom[found])
        for where, text in values
        for found in map(fold_case, _IDENTIFIER.findall(text))
        if found in whom
    }
