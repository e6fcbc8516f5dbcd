"""People in requests and responses of admins."""

import re
import uuid
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from shared.http.paging import NEXT_LINK, PageQuery
from shared.http.wire import Flag, Instant, Name, Problem, WireModel, json_schema_pattern
from shared.tenancy.model import AuthProvider, Role
from shared.tenancy.rules import short_id
from tenants.people.add_service import AddResult, NewPerson
from tenants.people.service import UserChange
from tenants.people.store import Account, AccountFilters
from tenants.sign_in.schemas import User


MOST_AT_ONCE: Final = 200
_PART: Final = r"[!-+\--:=?A-~]"  # printable ASCII without spaces and @ < > , ;
_ADDRESS: Final = re.compile(rf"\A{_PART}{{1,64}}@{_PART}+\.{_PART}+(?<!\.)\Z")


def _address(value: str) -> str:
    if not _ADDRESS.match(value):
        raise ValueError("must be an e-mail address in plain letters, like ben@contoso.example")
    return value


Address = Annotated[
    str,
    AfterValidator(_address),
    Field(
        max_length=320, examples=["ben@contoso.example"], json_schema_extra={"pattern": json_schema_pattern(_ADDRESS)}
    ),
]
_OBJECT_ID: Final = re.compile(r"\A[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z")


def _object_id(value: str) -> str:
    if not _OBJECT_ID.match(value):
        raise ValueError("must be an object id of your directory, like 690222be-ff1a-4d56-abd1-7e4f7d38e474")
    return value


def _person_id(value: str) -> str:
    if not _OBJECT_ID.match(value):
        raise ValueError("must be the id of a person")
    return value


ObjectId = Annotated[
    str,
    AfterValidator(_object_id),
    Field(
        examples=["690222be-ff1a-4d56-abd1-7e4f7d38e474"],
        json_schema_extra={"format": "uuid", "pattern": json_schema_pattern(_OBJECT_ID)},
    ),
]


PersonId = Annotated[
    str,
    AfterValidator(_person_id),
    Field(json_schema_extra={"format": "uuid", "pattern": json_schema_pattern(_OBJECT_ID)}),
]


class UserDetail(User):
    """`version` is also the ETag; `invitedBy` is the id of the inviting person."""

    object_id: str | None = Field(None, description="object id in the directory; absent before the first sign-in")
    short_id: str | None = Field(None, description="present if another person has the same name and address")
    pending_role: Role | None = Field(
        None, description="role of the invitation; it applies when a super admin confirms the person"
    )
    invited_by: str | None = None
    invitation_ends_at: Instant | None = Field(None, description="end of an unclaimed invitation")
    first_sign_in_at: Instant | None = None
    last_sign_in_at: Instant | None = None
    is_restricted: bool = Field(description="whether processing of the person's data is stopped")
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


class UsersQuery(PageQuery):
    role: Role | None = None
    is_active: Flag | None = None
    auth_provider: AuthProvider | None = None

    def to_filters(self) -> AccountFilters:
        return AccountFilters(self.role, self.is_active, self.auth_provider)


class UsersPage(WireModel):
    items: list[UserDetail]
    next_link: str | None = NEXT_LINK


class NewUser(WireModel):
    email: Address
    display_name: Name | None = None
    role: Annotated[Role, Field(strict=False)] = Role.USER
    object_id: ObjectId | None = Field(
        None, description="object id in your directory; the role then applies at the first sign-in"
    )

    def to_person(self) -> NewPerson:
        object_id = None if self.object_id is None else uuid.UUID(self.object_id)
        return NewPerson(self.email, self.display_name, self.role, object_id)


class AddUsers(WireModel):
    """Each row has its own result."""

    users: Annotated[list[NewUser], Field(fail_fast=True, min_length=1, max_length=MOST_AT_ONCE)]


class AddedUser(WireModel):
    """`user` if the account was added, else `problem`."""

    email: str
    user: UserDetail | None = None
    problem: Problem | None = None

    @classmethod
    def of(cls, added: AddResult, *, request_id: str) -> Self:
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
    into: PersonId = Field(description="id of the account with which the person signs in")

    @property
    def person_id(self) -> uuid.UUID:
        return uuid.UUID(self.into)


class ChangeUser(WireModel):
    display_name: Name | None = None
    role: Annotated[Role, Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.display_name is None and self.role is None:
            raise ValueError("must change displayName or role")
        return self

    def to_change(self) -> UserChange:
        return UserChange(display_name=self.display_name, role=self.role)
