"""The pages on which there is nothing to do but to read: they are the same for everybody, and name nobody."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

from billing.subscriptions import another_is_live
from webhooks.landing.pages.html import Html
from webhooks.landing.pages.page import note, paragraphs
from webhooks.landing.refusals import OPEN_AGAIN
from webhooks.landing.rules import Scene


class Still(NamedTuple):
    status: int
    title: str
    content: Html


STILL: Final[Mapping[Scene, Still]] = {
    Scene.ENDED: Still(
        HTTPStatus.OK,
        "This subscription has ended",
        paragraphs(
            "It was canceled, and a canceled subscription cannot be started again. So there is nothing to set up "
            "here, and nothing more is charged.",
            "Your organization's time is kept: its admins can still read and export it.",
            "To go on, buy TimeTracker again in the Azure portal for the same organization. All of its time and "
            "people will be there.",
        ),
    ),
    Scene.ANOTHER: Still(
        HTTPStatus.CONFLICT, "You already have a subscription", note("warn", paragraphs(another_is_live().detail))
    ),
    Scene.ASK_ADMIN: Still(
        HTTPStatus.FORBIDDEN,
        "Ask a super admin of your organization",
        paragraphs(
            "Your organization uses TimeTracker already. A purchase for it needs the agreement of one of its super "
            "admins.",
            "The person who bought it asks them for it: in the Azure portal, under SaaS, they choose Configure "
            "account. Nothing was changed.",
        ),
    ),
    Scene.GUEST: Still(
        HTTPStatus.FORBIDDEN,
        "You are a guest in this organization",
        paragraphs(
            "A purchase is confirmed by a member of the organization it is for. Ask a member to open the subscription "
            "in the Azure portal and to choose Configure account. Nothing was changed."
        ),
    ),
    Scene.UNKNOWN: Still(
        HTTPStatus.CONFLICT,
        "Microsoft is still working on this purchase",
        paragraphs(
            "The subscription is in a state that TimeTracker does not know. Nothing was changed. Come back in some "
            f"minutes; if it stays so, ask for help. {OPEN_AGAIN}"
        ),
    ),
}
