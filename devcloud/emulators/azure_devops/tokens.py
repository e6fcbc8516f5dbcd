"""The tokens of the emulator, signed with its own key and checked like real ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from devcloud.emulators.azure_devops.errors import AzureDevOpsError, NotSignedIn
from devcloud.emulators.azure_devops.items import organizations_of
from devcloud.emulators.entra.people import Person


AUDIENCE: Final = "499b84ac-1321-427f-aa17-267ca6975798"  # Azure DevOps, as Entra knows it
READ: Final = "vso.work"
WRITE: Final = "vso.work_write"
_KEY: Final = "local-only: valid for this emulator only"
_HIDDEN_PROJECTS: Final[Mapping[str, tuple[str, ...]]] = {"gus": ("Billing",)}  # a guest sees fewer projects
_READ_ONLY_PROJECTS: Final[Mapping[str, tuple[str, ...]]] = {"chloe": ("Mobile",)}


@dataclass(frozen=True, slots=True)
class TokenUser:
    """The user of a token, with permissions."""

    oid: str
    name: str
    email: str
    organizations: tuple[str, ...]
    scopes: tuple[str, ...] = (WRITE,)
    hidden: tuple[str, ...] = ()  # hidden projects
    read_only: tuple[str, ...] = ()

    @classmethod
    def of(cls, person: Person) -> "TokenUser":
        organizations = organizations_of(person.directory)
        hidden, read_only = _HIDDEN_PROJECTS.get(person.short, ()), _READ_ONLY_PROJECTS.get(person.short, ())
        return cls(person.oid, person.name, person.email, organizations, hidden=hidden, read_only=read_only)

    def check_organization(self, organization: str) -> None:
        """Raises AzureDevOpsError for an organization without this user."""
        if organization not in self.organizations:
            message = f"TF400813: The user '{self.oid}' is not authorized to access this resource."
            raise AzureDevOpsError(401, message, "UnauthorizedRequestException")

    def may_write(self, project: str) -> bool:
        return WRITE in self.scopes and project not in self.read_only


def mint(user: TokenUser, **claims: Any) -> str:  # noqa: ANN401 - any JSON
    """A token, the same for the same user; without the claim `exp` it never expires."""
    user_claims = {
        "aud": AUDIENCE,
        "nameid": user.oid,
        "name": user.name,
        "email": user.email,
        "organizations": user.organizations,
        "scp": " ".join(user.scopes),
        "hidden": user.hidden,
        "read_only": user.read_only,
    }
    return jwt.encode({**user_claims, **claims}, _KEY, "HS256")


def parse_token(authorization: str | None) -> TokenUser:
    """The user of an Authorization header.

    Raises:
        NotSignedIn: the token is missing or invalid.
    """
    scheme, _, token = (authorization or "").partition(" ")
    try:
        claims = jwt.decode(token, _KEY, ["HS256"], audience=AUDIENCE)
    except jwt.PyJWTError:
        raise NotSignedIn from None
    if scheme.lower() != "bearer":
        raise NotSignedIn
    return TokenUser(
        claims["nameid"],
        claims["name"],
        claims["email"],
        tuple(claims["organizations"]),
        tuple(claims["scp"].split()),
        tuple(claims["hidden"]),
        tuple(claims["read_only"]),
    )
