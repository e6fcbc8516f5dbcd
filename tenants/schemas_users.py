"""The people of a tenant on the wire: what an admin sends and sees."""

import re
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, model_validator

from shared.http.wire import Instant, Problem, WireModel, in_json_schema, text
from shared.tenancy.model import AuthProvider, Role
from tenants.schemas import User
from tenants.service_adding import Added, NewPerson
from tenants.service_users import Change
from tenants.store_users import Account


MOST_AT_ONCE: Final = 200
_PART: Final = r"[^\s\x00-\x20\x7f-\x9f@<>,;]"
_ADDRESS: Final = re.compile(rf"\A{_PART}{{1,64}}@{_PART}+\.{_PART}+(?<!\.)\Z")


def _address(value: str) -> str:
    if not _ADDRESS.match(value):
        raise ValueError("must be an e-mail address, like ben@contoso.example")
    return value


Address = Annotated[
    str,
    AfterValidator(_address),
    Field(max_length=320, examples=["ben@contoso.example"], json_schema_extra={"pattern": in_json_schema(_ADDRESS)}),
]


class UserDetail(User):
    """`version` is also the ETag; `invitedBy` is the id of whoever added the account by hand."""

    invited_by: str | None = None
    first_sign_in_at: Instant | None = None
    last_sign_in_at: Instant | None = None
    is_restricted: bool = Field(description="the person has had the processing of their data stopped")
    created_at: Instant
    version: int

    @classmethod
    def of_account(cls, account: Account) -> Self:
        user = account.user
        return cls(
            **dict(User.of(user)),
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
    display_name: text(200) | None = None  # type: ignore[valid-type]
    role: Annotated[Role, Field(strict=False)] = Role.USER

    def to_person(self) -> NewPerson:
        return NewPerson(self.email, self.display_name, self.role)


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


class ChangeUser(WireModel):
    display_name: text(200) | None = None  # type: ignore[valid-type]
    role: Annotated[Role, Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.display_name is None and self.role is None:
            raise ValueError("must change something: displayName, role")
        return self

    def to_change(self) -> Change:
        return Change(display_name=self.display_name, role=self.role)
