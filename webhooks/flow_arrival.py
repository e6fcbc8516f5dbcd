"""The way in: from the Marketplace's link to Entra and back, to a visit of somebody whose purchase it is."""

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shared.app import App
from shared.errors import ApiError, Inconclusive, InvalidRequest, InvalidToken, NotFound
from shared.identity import CONSUMER_ACCOUNT, INCONCLUSIVE, Principal
from shared.log import get_logger
from shared.marketplace import model as told
from shared.marketplace.errors import Unreadable
from shared.sign_in.model import Aim, Attempt, CodeRefused
from webhooks import rules_refusals as refusals
from webhooks import rules_visits, store_visits
from webhooks.flow_calls import asking, client_of
from webhooks.rules_landing import is_of
from webhooks.store_visits import Begun, Visit


if TYPE_CHECKING:
    from shared.sign_in.client import SignIns


_ENTRA_IS_AWAY: Final = frozenset({"server_error", "temporarily_unavailable"})  # RFC 6749, 4.1.2.1


@dataclass(frozen=True, slots=True)
class Returned:
    """What the browser brings back from Entra: a code, or a word for why there is none."""

    code: str | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """How to try again: by the purchase token, or for the purchase of a visit.

    `directory` is where the purchase belongs, when that is another than the one that was signed in to.
    """

    token: str = ""
    visit: uuid.UUID | None = None
    directory: str | None = None


class NotFinished(Exception):
    """The sign-in led to nothing; `retry` is None where no other try can help."""

    def __init__(self, error: ApiError, retry: Retry | None) -> None:
        super().__init__(error.code)
        self.error, self.retry = error, retry


def arrive(app: App, link_token: str, browser: str, redirect_uri: str, *, directory: str | None = None) -> str:
    """Notes the visit; the address to sign in at, which is the directory's where one is named.

    Raises:
        InvalidRequest: the link has no purchase token.
    """
    token = rules_visits.purchase_token(link_token)
    if token is None:
        raise refusals.unknown_purchase()
    return _begin(app, Aim(directory), token, browser, redirect_uri)


def change_account(app: App, visit: Visit, browser: str, redirect_uri: str) -> str:
    """The address to sign in at with another account of the purchase's directory, guests' accounts too."""
    return _begin(app, Aim(visit.principal.tid, visit.public_id), None, browser, redirect_uri)


def _begin(app: App, aim: Aim, token: str | None, browser: str, redirect_uri: str) -> str:
    attempt, now = Attempt.new(aim), app.now()
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


def come_back(app: App, state: str, browser: str | None, returned: Returned, redirect_uri: str) -> uuid.UUID:
    """Who signed in, for what: kept when it is their directory's. The visit, whose page is to be shown.

    Raises:
        ApiError: this browser began no such sign-in, or too long ago.
        NotFinished: it failed, or somebody else's purchase was opened; nothing is kept of either.
    """
    begun = _take(app, state, browser)
    if begun.was_taken:
        return begun.public_id  # the page was loaded again
    aim = Aim.of(state)
    retry: Retry | None = Retry(begun.purchase_token, aim.visit)
    try:
        principal = _who(app, begun, returned, redirect_uri, aim.directory)
        bought = _bought(app, begun, aim, browser)
        if not app.settings.is_sold_here(bought.offer_id, bought.plan_id):
            raise refusals.of_another_product()
        if not is_of(bought, principal):
            # Offered once: who has signed in there has shown which accounts they have
            retry = Retry(begun.purchase_token, aim.visit, None if aim.directory else bought.beneficiary.tid)
            raise refusals.of_another_directory()
    except ApiError as error:
        with app.transaction() as tx:
            store_visits.remove(tx, begun.id)
        # A link that leads nowhere, or to another product, whoever signs in.
        is_dead = isinstance(error, InvalidRequest | NotFound) or error.code == refusals.ANOTHER_PRODUCT
        raise NotFinished(error, None if is_dead else retry) from error
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


def _who(app: App, begun: Begun, returned: Returned, redirect_uri: str, directory: str | None) -> Principal:
    """Raises Forbidden for personal accounts, and where Entra vouches for nobody; Inconclusive where nobody knows."""
    if returned.code is None:
        if returned.error in _ENTRA_IS_AWAY:
            raise refusals.sign_in_unchecked(returned.error)
        raise refusals.not_signed_in()
    try:
        return _sign_ins(app).redeem(returned.code, begun.verifier, begun.nonce, redirect_uri, directory=directory)
    except CodeRefused:
        raise refusals.not_signed_in() from None
    except Inconclusive as error:
        raise refusals.sign_in_unchecked(error.reason) from None
    except InvalidToken as error:
        if error.reason in INCONCLUSIVE:  # Entra has just given the token
            raise refusals.sign_in_unchecked(error.reason) from None
        get_logger().warning("id_token_refused", reason=error.reason)
        if error.reason == CONSUMER_ACCOUNT:
            raise refusals.personal_account() from None
        raise refusals.not_signed_in() from None


def _bought(app: App, begun: Begun, aim: Aim, browser: str | None) -> told.Subscription:
    """Raises NotFound where the visit that it is for is over, else as asking says."""
    visit = None if aim.visit is None else find_visit(app, aim.visit, browser)
    with asking() as flow:
        client = client_of(app)
        if visit is None:
            bought = client.resolve(begun.purchase_token, flow)
        else:
            bought = client.get(str(visit.marketplace_id), flow)
        if not bought.beneficiary.tid:
            raise Unreadable("no_beneficiary")
        return bought


def _sign_ins(app: App) -> "SignIns":
    if app.landing is None:
        raise refusals.off()
    return app.landing
