"""The people of a tenant on the wire: what an admin sends and sees."""

import re
import uuid
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, model_validator

from shared.http.wire import Instant, Name, Problem, WireModel, in_json_schema
from shared.tenancy.model import AuthProvider, Role
from shared.tenancy.rules import short_id
from tenants.people.add_service import Added, NewPerson
from tenants.people.service import Change
from tenants.people.store import Account
from tenants.sign_in.schemas import User


MOST_AT_ONCE: Final = 200
_PART: Final = r"[!-+\--:=?A-~]"  # letters of ASCII without blanks, @ < > , ;
_ADDRESS: Final = re.compile(rf"\A{_PART}{{1,64}}@{_PART}+\.{_PART}+(?<!\.)\Z")


def _address(value: str) -> str:
    if not _ADDRESS.match(value):
        raise ValueError("must be an e-mail address in plain letters, like ben@contoso.example")
    return value


Address = Annotated[
    str,
    AfterValidator(_address),
    Field(max_length=320, examples=["ben@contoso.example"], json_schema_extra={"pattern": in_json_schema(_ADDRESS)}),
]


_OBJECT_ID: Final = re.compile(r"\A[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z")


def _object_id(value: str) -> str:
    if not _OBJECT_ID.match(value):
        raise ValueError("must be an id of your directory, like 690222be-ff1a-4d56-abd1-7e4f7d38e474")
    return value


def _person_id(value: str) -> str:
    if not _OBJECT_ID.match(value):
        raise ValueError("must be a person's id, as the list of people has it")
    return value


ObjectId = Annotated[
    str,
    AfterValidator(_object_id),
    Field(
        examples=["690222be-ff1a-4d56-abd1-7e4f7d38e474"],
        json_schema_extra={"format": "uuid", "pattern": in_json_schema(_OBJECT_ID)},
    ),
]


PersonId = Annotated[
    str,
    AfterValidator(_person_id),
    Field(json_schema_extra={"format": "uuid", "pattern": in_json_schema(_OBJECT_ID)}),
]


class UserDetail(User):
    """`version` is also the ETag; `invitedBy` is the id of the person who sent the invitation."""

    object_id: str | None = Field(None, description="the directory's id of the person, who has signed in")
    short_id: str | None = Field(None, description="present where name and address are another person's too")
    pending_role: Role | None = Field(
        None, description="the role of the invitation; it takes force when a super admin confirms the person"
    )
    invited_by: str | None = None
    invitation_ends_at: Instant | None = Field(None, description="of an invitation that nobody has claimed yet")
    first_sign_in_at: Instant | None = None
    last_sign_in_at: Instant | None = None
    is_restricted: bool = Field(description="the person has had the processing of their data stopped")
    created_at: Instant
    version: int

    @classmethod
    def of_account(cls, account: Account, alike: frozenset[uuid.UUID] = frozenset()) -> Self:
        user = account.user
        return cls(
            **dict(User.of(user)),
            object_id=None if account.object_id is None else str(account.object_id),
            short_id=short_id(user.public_id) if user.public_id in alike else None,
            pending_role=user.pending_role,
            invitation_ends_at=account.invitation_ends_at,
            invited_by=None if account.invited_by is None else str(account.invited_by),
            first_sign_in_at=user.first_sign_in_at,
            last_sign_in_at=user.last_sign_in_at,
            is_restricted=user.restricted_since is not None,
            created_at=account.created_at,
            version=account.version,
        )


class UsersQuery(WireModel):
    role: Role | None = None
    is_active: bool | None = None
    auth_provider: AuthProvider | None = None
    after: str | None = Field(None, description="where the page before ended; nextLink carries it")
    page_size: Annotated[int, Field(ge=1, le=200)] = 50

    def filters(self) -> dict[str, Any]:
        return {
            "role": None if self.role is None else self.role.value,
            "active": self.is_active,
            "provider": None if self.auth_provider is None else self.auth_provider.value,
        }


class UsersPage(WireModel):
    items: list[UserDetail]
    next_link: str | None = Field(None, description="the next page; absent on the last")


class NewUser(WireModel):
    email: Address
    display_name: Name | None = None
    role: Annotated[Role, Field(strict=False)] = Role.USER
    object_id: ObjectId | None = Field(
        None, description="the person's id in your directory: then the role takes force at their first sign-in"
    )

    def to_person(self) -> NewPerson:
        object_id = None if self.object_id is None else uuid.UUID(self.object_id)
        return NewPerson(self.email, self.display_name, self.role, object_id)


class AddUsers(WireModel):
    """One or many; each row has its own result."""

    users: Annotated[list[NewUser], Field(fail_fast=True, min_length=1, max_length=MOST_AT_ONCE)]


class AddedUser(WireModel):
    """`user` when the account was made, else `problem`."""

    email: str
    user: UserDetail | None = None
    problem: Problem | None = None

    @classmethod
    def of(cls, added: Added, *, request_id: str) -> Self:
        refusal = added.refusal
        return cls(
            email=added.email,
            user=None if added.account is None else UserDetail.of_account(added.account),
            problem=None if refusal is None else Problem.of(refusal, request_id=request_id),
        )


class AddedUsers(WireModel):
    results: list[AddedUser]
    added: int


class MergeUser(WireModel):
    into: PersonId = Field(description="the id of the account with which the person signs in")

    @property
    def person(self) -> uuid.UUID:
        return uuid.UUID(self.into)


class ChangeUser(WireModel):
    display_name: Name | None = None
    role: Annotated[Role, Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.display_name is None and self.role is None:
            raise ValueError("must change something: displayName, role")
        return self

    def to_change(self) -> Change:
        return Change(display_name=self.display_name, role=self.role)
