"""The pages on which there is nothing to do but to read: they are the same for everybody, and name nobody."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from shared.http.page import note, page, paragraphs
from shared.http.reply import Reply
from shared.subscriptions.service import another_is_live
from webhooks.rules_landing import Scene
from webhooks.rules_refusals import OPEN_AGAIN


STILL: Final[Mapping[Scene, Reply]] = {
    Scene.ENDED: page(
        HTTPStatus.OK,
        "This subscription has ended",
        paragraphs(
            "It was cancelled, and a cancelled subscription cannot be started again. So there is nothing to set up "
            "here, and nothing more is charged.",
            "Your organisation's time is kept: its admins can still read and export it.",
            "To go on, buy TimeTracker again in the Azure Marketplace for the same organisation. All of its time and "
            "people will be there.",
        ),
    ),
    Scene.ANOTHER: page(
        HTTPStatus.CONFLICT, "You already have a subscription", note("warn", paragraphs(another_is_live().detail))
    ),
    Scene.ASK_ADMIN: page(
        HTTPStatus.FORBIDDEN,
        "Ask a super admin of your organisation",
        paragraphs(
            "Your organisation uses TimeTracker already. A purchase for it is confirmed by one of its super admins, or "
            "by the person who bought it.",
            "Ask them to open the subscription in the Azure portal and to choose Configure account. Nothing was "
            "changed.",
        ),
    ),
    Scene.GUEST: page(
        HTTPStatus.FORBIDDEN,
        "You are a guest in this organisation",
        paragraphs(
            "A purchase is confirmed by a member of the organisation it is for. Ask a member to open the subscription "
            "in the Azure portal and to choose Configure account. Nothing was changed."
        ),
    ),
    Scene.UNKNOWN: page(
        HTTPStatus.CONFLICT,
        "Microsoft is still working on this purchase",
        paragraphs(
            "The subscription is in a state that TimeTracker does not know. Nothing was changed. Come back in some "
            f"minutes; if it stays so, ask for support. {OPEN_AGAIN}"
        ),
    ),
}
