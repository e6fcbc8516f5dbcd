"""The way in: from the Marketplace's link to Entra and back, to a visit of somebody whose purchase it is."""

import contextlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from billing import marketplace
from billing.marketplace import UnreadableResponse
from shared.app import App
from shared.auth.tokens import CONSUMER_ACCOUNT, INCONCLUSIVE, Principal
from shared.errors import ApiError, Conflict, Inconclusive, InvalidRequest, InvalidToken, NotFound
from shared.log import get_logger
from webhooks.landing import purchase_flow, refusals, sign_in, visit_store
from webhooks.landing import visits as rules_visits
from webhooks.landing.marketplace_calls import asking, client_of
from webhooks.landing.rules import is_of
from webhooks.landing.sign_in.model import CodeRefused, SignInAttempt, SignInTarget, parse_own_visit
from webhooks.landing.visit_store import Begun, Visit
from webhooks.landing.visits import Session


if TYPE_CHECKING:
    from webhooks.landing.sign_in.client import SignInClient


Sessions: TypeAlias = Mapping[uuid.UUID, str]  # the browser's secrets, by visit
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
    """The sign-in led to nothing; `retry` is None where no other try can help.

    `session` is the browser's from now on.
    """

    def __init__(self, error: ApiError, retry: Retry | None, session: Session) -> None:
        super().__init__(error.code)
        self.error, self.retry, self.session = error, retry, session


def arrive(app: App, link_token: str, redirect_uri: str, *, directory: str | None = None) -> tuple[str, Session]:
    """Notes the visit; the address to sign in at, which is the directory's where one is named.

    Raises:
        InvalidRequest: the link has no purchase token.
    """
    token = rules_visits.purchase_token(link_token)
    if token is None:
        raise refusals.unknown_purchase()
    return _begin(app, SignInTarget(directory), token, redirect_uri)


def change_account(app: App, visit: Visit, redirect_uri: str) -> tuple[str, Session]:
    """The address to sign in at with another account of the purchase's directory, guests' accounts too."""
    return _begin(app, SignInTarget(visit.principal.tid, visit.public_id), None, redirect_uri)


def _begin(app: App, target: SignInTarget, token: str | None, redirect_uri: str) -> tuple[str, Session]:
    """With a secret of its own, whatever cookies the browser came with: somebody else may have put them there."""
    session, now = Session.new(app.new_id()), app.now()
    attempt = SignInAttempt.new(target, session.visit)
    with app.transaction() as tx:
        visit_store.add(
            tx,
            session.visit,
            attempt,
            None if token is None else rules_visits.seal(token, session.secret),
            state=rules_visits.digest(attempt.state),
            browser=rules_visits.digest(session.secret),
            now=now,
            until=now + rules_visits.SIGN_IN_WITHIN,
        )
    return _sign_ins(app).authorization_url(attempt, redirect_uri), session


def come_back(app: App, state: str, sessions: Sessions, returned: Returned, redirect_uri: str) -> Session:
    """Who signed in, for what: kept when it is their directory's. The session by which their page is to be shown.

    What Microsoft has moved on since is followed now, so that the page only has to show it.

    Raises:
        ApiError: this browser began no such sign-in, or too long ago.
        NotFinished: it failed, or somebody else's purchase was opened; nothing is kept of either.
    """
    begun, token, session = _take(app, state, sessions)
    if begun.was_taken:
        return session  # the page was loaded again
    target = SignInTarget.parse(state)
    retry: Retry | None = Retry(token, target.visit)
    try:
        principal = _who(app, begun, returned, redirect_uri, target.directory)
        bought = _bought(app, token, target, sessions)
        if not app.settings.is_sold_here(bought.offer_id, bought.plan_id):
            raise refusals.of_another_product()
        if not is_of(bought, principal):
            # Offered once: who has signed in there has shown which accounts they have
            retry = Retry(token, target.visit, None if target.directory else bought.beneficiary.tid)
            raise refusals.of_another_directory()
    except ApiError as error:
        with app.transaction() as tx:
            visit_store.remove(tx, begun.id)
        # A link that leads nowhere, or to another product, whoever signs in.
        is_dead = isinstance(error, InvalidRequest | NotFound) or error.code == refusals.ANOTHER_PRODUCT
        raise NotFinished(error, None if is_dead else retry, session) from error
    with app.transaction() as tx:
        until = app.now() + rules_visits.CONFIRM_WITHIN
        visit_store.sign_in(tx, begun.id, uuid.UUID(bought.id), principal, until=until)
    visit = Visit(begun.public_id, uuid.UUID(bought.id), principal, is_activated=False)
    with contextlib.suppress(Inconclusive, Conflict):  # the page says it
        purchase_flow.bring_up_to_date(app, visit, bought)
    return session


def find_visit(app: App, visit: uuid.UUID | None, sessions: Sessions) -> Visit:
    """Raises NotFound when it is over, or another browser's."""
    if visit is not None and visit in sessions:
        browser = rules_visits.digest(sessions[visit])
        with app.transaction(reads_only=True) as tx:
            found = visit_store.find(tx, visit, browser=browser, now=app.now())
        if found is not None:
            return found
    raise refusals.over()


def sign_out(app: App, sessions: Sessions) -> None:
    """Ends all visits of the browser."""
    with app.transaction() as tx:
        for visit, secret in sessions.items():
            visit_store.sign_out(tx, visit, browser=rules_visits.digest(secret))


def _take(app: App, state: str, sessions: Sessions) -> tuple[Begun, str, Session]:
    """With its purchase token, and the session that it has from now on: whoever knew the old one is left behind."""
    visit = parse_own_visit(state)
    if visit is None or visit not in sessions:
        raise refusals.over()
    secret, new = sessions[visit], Session.new(visit)
    hashes = {"state": rules_visits.digest(state), "browser": rules_visits.digest(secret)}
    with app.transaction() as tx:
        begun = visit_store.find_begun(tx, **hashes, now=app.now())
        if begun is None:
            raise refusals.over()
        if begun.was_taken:
            return begun, "", Session(visit, secret)
        if not visit_store.take(tx, begun.id, browser=rules_visits.digest(new.secret), now=app.now()):
            raise refusals.over()
    return begun, rules_visits.unseal(begun.sealed_token, secret) or "", new


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


def _bought(app: App, token: str, target: SignInTarget, sessions: Sessions) -> marketplace.Subscription:
    """Raises NotFound where the visit that it is for is over, else as asking says."""
    visit = None if target.visit is None else find_visit(app, target.visit, sessions)
    with asking() as flow:
        client = client_of(app)
        bought = client.resolve(token, flow) if visit is None else client.get(str(visit.marketplace_id), flow)
        if not bought.beneficiary.tid:
            raise UnreadableResponse("no_beneficiary")
        return bought


def _sign_ins(app: App) -> "SignInClient":
    found = sign_in.of(app)
    if found is None:
        raise refusals.off()
    return found
