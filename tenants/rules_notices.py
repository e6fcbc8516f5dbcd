"""The sentence of each notice: what happened, and what its reader can do."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from shared.instants import rfc3339
from shared.notices import NoticeKind


_SOMEBODY: Final = "A person"
_DAY: Final = 10  # characters of an instant, down to its day
_TEXTS: Final[Mapping[str, str]] = {
    NoticeKind.SUPER_ADMIN_ADDED: "{about} is a super admin now.",
    NoticeKind.SUPER_ADMIN_REMOVED: "{about} is no super admin any more.",
    NoticeKind.ROLE_WAITING: "{about} came by an invitation as {role}. The role waits until a super admin has checked "
    "who came, and confirms it.",
    NoticeKind.TENANT_EXPORTED: "All data of your organization was exported to a file{by}.",
    NoticeKind.PURCHASE_WAITING: "{buyer} bought TimeTracker for your organization: {bought}. The purchase waits for "
    "your agreement, and nothing is charged before.",
    NoticeKind.PURCHASE_AGREED: "The purchase of {bought} was agreed to{by}.",
    NoticeKind.PURCHASE_DECLINED: "The purchase of {bought} was declined{by}.",
    NoticeKind.PURCHASE_CANCELLED: "The purchase of {bought} was canceled before anybody agreed. Nothing changed.",
    NoticeKind.SUBSCRIPTION_CANCELLED: "The subscription to {bought} was canceled. Time and people are kept.",
    NoticeKind.DATABASE_RESTORED: "The data of TimeTracker was restored from a backup. Check the time, people and "
    "settings of the hours before.",
}
_ERASURE: Final = {
    "person": "The data of {about} will be erased on {due}. It can be taken back until then.",
    "tenant": "All data of your organization will be erased on {due}. It can be taken back until then.",
}
_ERASURE_DUE_BEFORE: Final = {
    "person": "The data of {about} was due to be erased on {due}.",
    "tenant": "All data of your organization was due to be erased on {due}.",
}
_TRIAL_IS_BACK: Final = " Your trial goes on until {trial}."


def text_of(kind: str, details: Mapping[str, Any], *, about: str | None, by: str | None, now: dt.datetime) -> str:
    """`about` and `by` are names, None where there is none to show. Days are those of UTC."""
    text = _erasure(details, now) if kind == NoticeKind.ERASURE_SCHEDULED else _TEXTS.get(kind, kind)
    if kind == NoticeKind.SUBSCRIPTION_CANCELLED and details.get("trialEndsAt"):
        text += _TRIAL_IS_BACK
    return text.format(
        about=about or _SOMEBODY,
        buyer=by or _SOMEBODY,
        by=f" by {by}" if by else "",
        bought=_bought(details),
        role=str(details.get("to", "")).replace("_", " "),
        due=str(details.get("dueAt", ""))[:_DAY],
        trial=str(details.get("trialEndsAt", ""))[:_DAY],
    )


def _erasure(details: Mapping[str, Any], now: dt.datetime) -> str:
    """What is due is carried out soon after, or waits for what holds it up: it is not told as coming any more."""
    is_past = str(details.get("dueAt", "")) <= rfc3339(now)
    sentences = _ERASURE_DUE_BEFORE if is_past else _ERASURE
    return sentences.get(str(details.get("scope")), sentences["person"])


def _bought(details: Mapping[str, Any]) -> str:
    plan, seats = str(details.get("plan", "")), details.get("seats")
    if seats is None:
        return f"plan {plan}"
    return f"plan {plan}, {seats} {'seat' if seats == 1 else 'seats'}"
