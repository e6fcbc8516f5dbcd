"""The tokens the emulator takes: made for it, signed with a key that opens nothing else, and checked like real ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from devcloud.emulators.azure_devops.items import organizations_of
from devcloud.emulators.azure_devops.refusal import NotSignedIn, Refused
from devcloud.emulators.entra.people import Person


AUDIENCE: Final = "499b84ac-1321-427f-aa17-267ca6975798"  # Azure DevOps, as Entra knows it
READ: Final = "vso.work"
WRITE: Final = "vso.work_write"
_KEY: Final = "local-only: opens nothing but this stand-in"
_NOT_THEIRS: Final[Mapping[str, tuple[str, ...]]] = {"gus": ("Billing",)}  # a guest sees less
_READ_ONLY: Final[Mapping[str, tuple[str, ...]]] = {"chloe": ("Mobile",)}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever a token names, and what they may do."""

    oid: str
    name: str
    email: str
    organizations: tuple[str, ...]
    scopes: tuple[str, ...] = (WRITE,)
    hidden: tuple[str, ...] = ()  # projects they cannot see
    read_only: tuple[str, ...] = ()

    @classmethod
    def of(cls, person: Person) -> "Visitor":
        organizations = organizations_of(person.directory)
        hidden, read_only = _NOT_THEIRS.get(person.short, ()), _READ_ONLY.get(person.short, ())
        return cls(person.oid, person.name, person.email, organizations, hidden=hidden, read_only=read_only)

    def enter(self, organization: str) -> None:
        """Raises Refused for an organisation they do not belong to."""
        if organization not in self.organizations:
            told = f"TF400813: The user '{self.oid}' is not authorized to access this resource."
            raise Refused(401, told, "UnauthorizedRequestException")

    def may_write(self, project: str) -> bool:
        return WRITE in self.scopes and project not in self.read_only


def mint(visitor: Visitor, **claims: Any) -> str:  # noqa: ANN401 - any JSON
    """A token; the same visitor's is always the same, and without an `exp` among the claims it never expires."""
    about = {
        "aud": AUDIENCE,
        "nameid": visitor.oid,
        "name": visitor.name,
        "email": visitor.email,
        "organizations": visitor.organizations,
        "scp": " ".join(visitor.scopes),
        "hidden": visitor.hidden,
        "read_only": visitor.read_only,
    }
    return jwt.encode({**about, **claims}, _KEY, "HS256")


def visitor_of(authorization: str | None) -> Visitor:
    """Whoever sent the header.

    Raises:
        NotSignedIn: whatever is wrong with it.
    """
    scheme, _, token = (authorization or "").partition(" ")
    try:
        claims = jwt.decode(token, _KEY, ["HS256"], audience=AUDIENCE)
    except jwt.PyJWTError:
        raise NotSignedIn from None
    if scheme.lower() != "bearer":
        raise NotSignedIn
    return Visitor(
        claims["nameid"],
        claims["name"],
        claims["email"],
        tuple(claims["organizations"]),
        tuple(claims["scp"].split()),
        tuple(claims["hidden"]),
        tuple(claims["read_only"]),
    )
