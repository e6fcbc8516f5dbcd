"""The way in: from the Marketplace's link to Entra and back, to a visit of somebody whose purchase it is."""

import uuid
from typing import TYPE_CHECKING

from shared.app import App
from shared.errors import ApiError, InvalidRequest, InvalidToken
from shared.identity import CONSUMER_ACCOUNT, Principal
from shared.log import get_logger
from shared.marketplace import model as told
from shared.marketplace.errors import NotAuthorized, Refused
from shared.marketplace.flow import Flow
from shared.sign_in.model import Attempt, CodeRefused
from webhooks import rules_refusals as refusals
from webhooks import rules_visits, store_visits
from webhooks.flow_calls import asking, client_of
from webhooks.rules_landing import is_of
from webhooks.store_visits import Begun, Visit


if TYPE_CHECKING:
    from shared.sign_in.client import SignIns


class NotFinished(Exception):
    """The sign-in led to nothing; `retry_token` is the purchase token for another try, where one may help."""

    def __init__(self, error: ApiError, retry_token: str | None) -> None:
        super().__init__(error.code)
        self.error, self.retry_token = error, retry_token


def arrive(app: App, link_token: str, browser: str, redirect_uri: str) -> str:
    """Notes the visit; the address to sign in at.

    Raises:
        InvalidRequest: the link has no purchase token.
    """
    token = rules_visits.purchase_token(link_token)
    if token is None:
        raise refusals.unknown_purchase()
    attempt, now = Attempt.new(), app.now()
    with app.transaction() as tx:
        store_visits.add(
            tx,
            app.new_id(),
            attempt,
            token,
            state=rules_visits.digest(attempt.state),
            browser=rules_visits.digest(browser),
            now=now,
            until=now + rules_visits.SIGN_IN_WITHIN,
        )
    return _sign_ins(app).address(attempt, redirect_uri)


def come_back(app: App, state: str, browser: str | None, code: str | None, redirect_uri: str) -> uuid.UUID:
    """Who signed in, for what: kept when it is their directory's. The visit, whose page is to be shown.

    Raises:
        ApiError: this browser began no such sign-in, or too long ago.
        NotFinished: it failed, or somebody else's purchase was opened; nothing is kept of either.
    """
    begun = _take(app, state, browser)
    if begun.was_taken:
        return begun.public_id  # the page was loaded again
    try:
        principal = _who(app, begun, code, redirect_uri)
        with asking() as flow:
            bought = _resolve(app, begun.purchase_token, flow)
        if not app.settings.is_sold_here(bought.offer_id, bought.plan_id):
            raise refusals.of_another_product()
        if not is_of(bought, principal):
            raise refusals.of_another_directory()
    except ApiError as error:
        with app.transaction() as tx:
            store_visits.remove(tx, begun.id)
        # A link that leads nowhere, or to another product, whoever signs in.
        is_dead = isinstance(error, InvalidRequest) or error.code == refusals.ANOTHER_PRODUCT
        raise NotFinished(error, None if is_dead else begun.purchase_token) from error
    with app.transaction() as tx:
        until = app.now() + rules_visits.CONFIRM_WITHIN
        store_visits.sign_in(tx, begun.id, uuid.UUID(bought.id), principal, until=until)
    return begun.public_id


def find_visit(app: App, visit: uuid.UUID | None, browser: str | None) -> Visit:
    """Raises NotFound when it is over, or another browser's."""
    if visit is not None and browser is not None:
        with app.transaction(reads_only=True) as tx:
            found = store_visits.find(tx, visit, browser=rules_visits.digest(browser), now=app.now())
        if found is not None:
            return found
    raise refusals.over()


def _take(app: App, state: str, browser: str | None) -> Begun:
    if browser is None:
        raise refusals.over()
    hashes = {"state": rules_visits.digest(state), "browser": rules_visits.digest(browser)}
    with app.transaction() as tx:
        begun = store_visits.find_begun(tx, **hashes, now=app.now())
        if begun is None or not (begun.was_taken or store_visits.take(tx, begun.id, now=app.now())):
            raise refusals.over()
    return begun


def _who(app: App, begun: Begun, code: str | None, redirect_uri: str) -> Principal:
    """Raises Forbidden for personal accounts, and where Entra vouches for nobody."""
    if code is None:
        raise refusals.not_signed_in()
    try:
        return _sign_ins(app).redeem(code, begun.verifier, begun.nonce, redirect_uri)
    except CodeRefused:
        raise refusals.not_signed_in() from None
    except InvalidToken as error:
        get_logger().warning("id_token_refused", reason=error.reason)
        if error.reason == CONSUMER_ACCOUNT:
            raise refusals.personal_account() from None
        raise refusals.not_signed_in() from None


def _resolve(app: App, token: str, flow: Flow) -> told.Subscription:
    try:
        return client_of(app).resolve(token, flow)
    except NotAuthorized:
        raise
    except Refused:
        raise refusals.unknown_purchase() from None


def _sign_ins(app: App) -> "SignIns":
    if app.landing is None:
        raise refusals.off()
    return app.landing
