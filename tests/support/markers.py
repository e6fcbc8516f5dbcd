"""Marker values in every test request, which logs and tables must not contain, and the identifiers of test people."""

import re
from collections.abc import Iterable
from typing import Final


AGENT: Final = "MarkedAgent/7.1"
ADDRESS: Final = "203.0.113.77"  # of RFC 5737, so nobody's
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
    """In lower case, if all letters are plain: an address with another, like a Kelvin sign, is the same as itself."""
    return text.lower() if text.isascii() else text


def add_person(oid: str, *identifiers: str) -> None:
    """Remembers somebody with a token, and by what they are known."""
    _people[oid] = tuple(map(fold_case, (oid, *identifiers)))


def clear_people() -> None:
    """For the next database, where nobody of this one is expected."""
    _people.clear()


def identifiers_without_account(accounts: Iterable[str]) -> dict[str, str]:
    """Identifiers of people without an account (never added, refused, or erased), each with the person's object id.

    An account has an object id, or the address that an admin added it by; whoever shares the address is known by it.
    """
    known = set(accounts)
    known |= {each for oid in known & _people.keys() for each in _people[oid]}
    return {each: oid for oid, identifiers in _people.items() for each in identifiers if each not in known}


def find_identifiers(values: Iterable[tuple[str, str]], whom: dict[str, str]) -> set[tuple[str, str]]:
    """The columns that name one of these people, and who it is."""
    return {
        (where, whom[found])
        for where, text in values
        for found in map(fold_case, _IDENTIFIER.findall(text))
        if found in whom
    }
