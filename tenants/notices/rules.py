"""The text of each notice, for people."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from shared.instants import rfc3339
from shared.notices import NoticeKind


_SOMEBODY: Final = "A person"
_VENDOR: Final = "the vendor"
_DAY: Final = 10  # characters of an instant, down to its day
_MINUTE: Final = 16
_TEXTS: Final[Mapping[str, str]] = {
    NoticeKind.SUPER_ADMIN_ADDED: "{about} is a super admin now.{by_vendor}",
    NoticeKind.SUPER_ADMIN_REMOVED: "{about} is no longer a super admin.{by_vendor}",
    NoticeKind.ROLE_WAITING: "{about} accepted an invitation with the role {role}. The role waits until a super admin "
    "has checked the person and confirms it.",
    NoticeKind.TENANT_EXPORTED: "All data of your organization was exported to a file{by}.",
    NoticeKind.PURCHASE_WAITING: "{buyer} bought TimeTracker for your organization: {bought}. Agree to "
    "or decline the purchase; nothing is charged before.",
    NoticeKind.PURCHASE_AGREED: "The purchase of {bought} was agreed to{by}.",
    NoticeKind.PURCHASE_DECLINED: "The purchase of {bought} was declined{by}.",
    NoticeKind.PURCHASE_CANCELLED: "The purchase of {bought} was canceled before anyone agreed to it. Nothing changed.",
    NoticeKind.SUBSCRIPTION_CANCELLED: "The subscription to {bought} was canceled. Your time and people are kept.",
    NoticeKind.DATABASE_RESTORED: "TimeTracker was restored from a backup. Changes made {lost} UTC may be missing. "
    "Check your time; admins, also check people and settings.",
}
_ERASURE: Final = {
    "person": "The data of {about} will be erased on {due}. The erasure can be withdrawn until then.",
    "tenant": "All data of your organization will be erased on {due}. The erasure can be withdrawn until then.",
}
_ERASURE_DUE_BEFORE: Final = {
    "person": "The data of {about} was due to be erased on {due}.",
    "tenant": "All data of your organization was due to be erased on {due}.",
}
_TRIAL_IS_BACK: Final = " Your trial continues until {trial}."
_CHANGED_BY_VENDOR: Final = " The vendor of TimeTracker changed the role."


def text_of(
    kind: str,
    details: Mapping[str, Any],
    *,
    about: str | None,
    by: str | None,
    now: dt.datetime,
    is_by_person: bool = True,
) -> str:
    """`about` and `by` are names, None where none may be shown. Days and times are in UTC."""
    actor = by if by or is_by_person else _VENDOR
    # with the role in the details the person got it by an invitation
    is_changed_by_vendor = not is_by_person and "to" not in details
    text = _erasure(details, now) if kind == NoticeKind.ERASURE_SCHEDULED else _TEXTS.get(kind, kind)
    if kind == NoticeKind.SUBSCRIPTION_CANCELLED and details.get("trialEndsAt"):
        text += _TRIAL_IS_BACK
    return text.format(
        about=about or _SOMEBODY,
        buyer=by or _SOMEBODY,
        by=f" by {actor}" if actor else "",
        by_vendor=_CHANGED_BY_VENDOR if is_changed_by_vendor else "",
        bought=_bought(details),
        role=str(details.get("to", "")).replace("_", " "),
        due=str(details.get("dueAt", ""))[:_DAY],
        trial=str(details.get("trialEndsAt", ""))[:_DAY],
        lost=_lost(details),
    )


def _lost(details: Mapping[str, Any]) -> str:
    """The period that a restore may have lost; its beginning is unknown if no job had run before the backup."""
    since, until = (str(details.get(name) or "")[:_MINUTE].replace("T", " ") for name in ("from", "to"))
    return f"from {since} to {until}" if since else f"before {until}"


def _erasure(details: Mapping[str, Any], now: dt.datetime) -> str:
    """An erasure that is due has been completed or is on hold, so its text is in the past tense."""
    is_past = str(details.get("dueAt", "")) <= rfc3339(now)
    sentences = _ERASURE_DUE_BEFORE if is_past else _ERASURE
    return sentences.get(str(details.get("scope")), sentences["person"])


def _bought(details: Mapping[str, Any]) -> str:
    plan, seats = str(details.get("plan", "")), details.get("seats")
    if seats is None:
        return f"plan {plan}"
    return f"plan {plan}, {seats} {'seat' if seats == 1 else 'seats'}"
