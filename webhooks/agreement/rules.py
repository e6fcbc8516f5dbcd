"""Decides who may agree to a purchase for an existing tenant, since buying gives no rights there."""

import datetime as dt
import uuid
from dataclasses import dataclass
from enum import StrEnum

from billing import marketplace
from shared.auth.tokens import Principal
from shared.tenancy.model import Role, User
from shared.tenancy.rules import INACTIVE_AFTER


class Agreer(StrEnum):
    """The kind of approver that a purchase needs now."""

    SUPER_ADMIN = "super_admin"
    ADMIN = "admin"  # other than the buyer, if no super admin has signed in lately
    OPERATOR = "operator"  # of the vendor, after a check of the customer, if nobody else is left


class RequestState(StrEnum):
    WAITING = "waiting"
    AGREED = "agreed"
    DECLINED = "declined"
    CANCELLED = "cancelled"  # by the customer or by Microsoft, while it waited


@dataclass(frozen=True, slots=True)
class PurchaseRequest:
    """A purchase by a buyer without the right to agree; `buyer_id` and `decider_id` are rows of users."""

    tenant_id: int
    marketplace_id: uuid.UUID
    state: RequestState
    offer_id: str
    plan_id: str
    quantity: int | None
    term_unit: str
    buyer_id: int | None
    requested_at: dt.datetime
    decider_id: int | None
    decided_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Admin:
    """An enabled account with a role above `user`."""

    user_id: int
    object_id: str | None
    role: Role
    last_sign_in_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Approvers:
    """The people who may agree to one purchase of a tenant, at an instant."""

    admins: tuple[Admin, ...]
    buyers: frozenset[str]  # directory object ids
    buyer_id: int | None
    has_agreement: bool  # with the vendor, which only a super admin may end
    now: dt.datetime

    @property
    def agreer(self) -> Agreer:
        """A super admin who has signed in lately, else another admin who has, else the vendor."""
        recent = [each for each in self.admins if self._is_recent(each)]
        if any(each.role is Role.SUPER_ADMIN for each in recent):
            return Agreer.SUPER_ADMIN
        if not self.has_agreement and any(not self._is_buyer(each.user_id, each.object_id) for each in recent):
            return Agreer.ADMIN
        return Agreer.OPERATOR

    def admits(self, user: User, object_id: str) -> bool:
        """Whether the person may agree. They are signed in now, so earlier sign-ins do not matter."""
        if not user.is_active:
            return False
        if user.role is Role.SUPER_ADMIN:
            return True
        is_other_admin = user.role is Role.ADMIN and not self._is_buyer(user.id, object_id)
        return is_other_admin and not self.has_agreement and self.agreer is not Agreer.SUPER_ADMIN

    def _is_recent(self, admin: Admin) -> bool:
        return admin.last_sign_in_at is not None and self.now - admin.last_sign_in_at < INACTIVE_AFTER

    def _is_buyer(self, user_id: int, object_id: str | None) -> bool:
        return user_id == self.buyer_id or object_id in self.buyers


def buyers_of(bought: marketplace.Subscription) -> frozenset[str]:
    """The object ids of beneficiary and purchaser, as far as they are in the beneficiary's directory."""
    directory = bought.beneficiary.tid
    parties = (bought.purchaser, bought.beneficiary)
    return frozenset(each.oid for each in parties if each.oid and each.tid == directory)


def is_buyer(bought: marketplace.Subscription, principal: Principal) -> bool:
    return principal.key in {(party.tid, party.oid) for party in (bought.beneficiary, bought.purchaser)}
