"""Texts about the approver of a purchase: for the organization, for the buyer's page and for operators."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from webhooks.agreement.rules import Agreer


@dataclass(frozen=True, slots=True)
class ApproverText:
    """`requirement` is for the organization, `instructions` follow on the buyer's page; `name` is for operators."""

    name: str
    requirement: str
    instructions: str


TEXTS: Final[Mapping[Agreer, ApproverText]] = {
    Agreer.SUPER_ADMIN: ApproverText(
        "a super admin",
        "A super admin of your organization has to agree to the purchase.",
        "They can agree in TimeTracker, where they are notified, or on this page with their own account: choose Use "
        "another account below.",
    ),
    Agreer.ADMIN: ApproverText(
        "an admin other than the buyer",
        "No super admin of your organization has signed in to TimeTracker for 30 days. So an admin other than the "
        "buyer can agree to the purchase.",
        "They can agree in TimeTracker, or on this page with their own account: choose Use another account below.",
    ),
    Agreer.OPERATOR: ApproverText(
        "an operator",
        "Nobody in your organization who may agree to the purchase has signed in to TimeTracker for 30 days. Ask the "
        "support of TimeTracker, which can agree for you once it has checked with your organization.",
        "A super admin who signs in again can agree, too.",
    ),
}
