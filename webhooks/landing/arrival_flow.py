"""Signs a visitor in: from the Marketplace's link to Entra and back, to a visit for a purchase of their directory."""

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
from webhooks.landing import purchase_flow, refusals, sign_in, visit_store, visits
from webhooks.landing.marketplace_calls import marketplace_call, require_client
from webhooks.landing.rules import belongs_to
from webhooks.landing.sign_in.model import CodeRefused, SignInAttempt, SignInTarget, parse_own_visit
from webhooks.landing.visit_store import StartedSignIn, Visit
from webhooks.landing.visits import Session


if TYPE_CHECKING:
    from webhooks.landing.sign_in.client import SignInClient


Sessions: TypeAlias = Mapping[uuid.UUID, str]  # the browser's secrets, by visit
_ENTRA_UNAVAILABLE: Final = frozenset({"server_error", "temporarily_unavailable"})  # RFC 6749, 4.1.2.1


@dataclass(frozen=True, slots=True)
class AuthorizationResponse:
    """Entra's response in the browser's address: a code, or an error (RFC 6749, 4.1.2)."""

    code: str | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """The ways to try again: by the purchase token, or for the purchase of another visit.

    `directory` is that of the purchase, where the visitor signed in to a different one.
    """

    token: str = ""
    visit: uuid.UUID | None = None
    directory: str | None = None


class SignInFailed(Exception):
    """The sign-in failed; `retry` is None where another attempt cannot help. `session` is the browser's new one."""

    def __init__(self, error: ApiError, retry: RetryOptions | None, session: Session) -> None:
        super().__init__(error.code)
        self.error, self.retry, self.session = error, retry, session


def start_sign_in(app: App, link_token: str, redirect_uri: str, *, directory: str | None = None) -> tuple[str, Session]:
    """Starts a visit; returns the address of the sign-in, at one directory where it is named.

    Raises:
        InvalidRequest: the link has no purchase token.
    """
    token = visits.purchase_token(link_token)
    if token is None:
        raise refusals.unknown_purchase()
    return _start(app, SignInTarget(directory), token, redirect_uri)


def change_account(app: App, visit: Visit, redirect_uri: str) -> tuple[str, Session]:
    """Starts a sign-in at the purchase's directory with another account, which may be a guest there."""
    return _start(app, SignInTarget(visit.principal.tid, visit.public_id), None, redirect_uri)


def _start(app: App, target: SignInTarget, token: str | None, redirect_uri: str) -> tuple[str, Session]:
    """Always with a new secret, since somebody else may have set the browser's present cookies."""
    session, now = Session.new(app.new_id()), app.now()
    attempt = SignInAttempt.new(target, session.visit)
    with app.transaction() as tx:
        visit_store.add(
            tx,
            session.visit,
            attempt,
            None if token is None else visits.seal(token, session.secret),
            state=visits.digest(attempt.state),
            browser=visits.digest(session.secret),
            now=now,
            until=now + visits.SIGN_IN_WITHIN,
        )
    return _sign_in_client(app).authorization_url(attempt, redirect_uri), session


def finish_sign_in(
    app: App, state: str, sessions: Sessions, response: AuthorizationResponse, redirect_uri: str
) -> Session:
    """Stores the visitor and their purchase, if it is of their directory; returns the session for its page.

    Changes at Microsoft are applied now, so that the page only has to show them.

    Raises:
        ApiError: this browser started no such sign-in, or too long ago.
        SignInFailed: the sign-in failed, or the purchase belongs to another directory; the visit is removed.
    """
    started, token, session = _claim(app, state, sessions)
    if started.is_finished:
        return session  # the page was loaded again
    target = SignInTarget.parse(state)
    retry: RetryOptions | None = RetryOptions(token, target.visit)
    try:
        principal = _redeem(app, started, response, redirect_uri, target.directory)
        bought = _load_purchase(app, token, target, sessions)
        if not app.settings.is_sold_here(bought.offer_id, bought.plan_id):
            raise refusals.another_product()
        if not belongs_to(bought, principal):
            # Offered once: another account of a wrong directory would not help either.
            retry = RetryOptions(token, target.visit, None if target.directory else bought.beneficiary.tid)
            raise refusals.another_directory()
    except ApiError as error:
        with app.transaction() as tx:
            visit_store.remove(tx, started.id)
        # Another account cannot repair a dead link or a purchase of another product.
        is_dead = isinstance(error, InvalidRequest | NotFound) or error.code == refusals.ANOTHER_PRODUCT
        raise SignInFailed(error, None if is_dead else retry, session) from error
    with app.transaction() as tx:
        until = app.now() + visits.CONFIRM_WITHIN
        visit_store.store_visitor(tx, started.id, uuid.UUID(bought.id), principal, until=until)
    visit = Visit(started.public_id, uuid.UUID(bought.id), principal, is_activated=False)
    with contextlib.suppress(Inconclusive, Conflict):  # the page says it
        purchase_flow.refresh(app, visit, bought)
    return session


def find_visit(app: App, visit: uuid.UUID | None, sessions: Sessions) -> Visit:
    """Raises NotFound when the visit is over, or belongs to another browser."""
    if visit is not None and visit in sessions:
        browser = visits.digest(sessions[visit])
        with app.transaction(reads_only=True) as tx:
            found = visit_store.find(tx, visit, browser=browser, now=app.now())
        if found is not None:
            return found
    raise refusals.visit_over()


def sign_out(app: App, sessions: Sessions) -> None:
    """Ends all visits of the browser."""
    with app.transaction() as tx:
        for visit, secret in sessions.items():
            visit_store.sign_out(tx, visit, browser=visits.digest(secret))


def _claim(app: App, state: str, sessions: Sessions) -> tuple[StartedSignIn, str, Session]:
    """The sign-in, its purchase token and its new session. The old secret, which others may know, no longer works."""
    visit = parse_own_visit(state)
    if visit is None or visit not in sessions:
        raise refusals.visit_over()
    secret, new = sessions[visit], Session.new(visit)
    hashes = {"state": visits.digest(state), "browser": visits.digest(secret)}
    with app.transaction() as tx:
        started = visit_store.find_started(tx, **hashes, now=app.now())
        if started is None:
            raise refusals.visit_over()
        if started.is_finished:
            return started, "", Session(visit, secret)
        if not visit_store.claim(tx, started.id, browser=visits.digest(new.secret), now=app.now()):
            raise refusals.visit_over()
    return started, visits.unseal(started.sealed_token, secret) or "", new


def _redeem(
    app: App, started: StartedSignIn, response: AuthorizationResponse, redirect_uri: str, directory: str | None
) -> Principal:
    """The person who signed in.

    Raises:
        Forbidden: Entra rejects the sign-in, or the account is a personal one.
        Inconclusive: the sign-in cannot be checked now.
    """
    if response.code is None:
        if response.error in _ENTRA_UNAVAILABLE:
            raise refusals.sign_in_unchecked(response.error)
        raise refusals.not_signed_in()
    try:
        return _sign_in_client(app).redeem(
            response.code, started.verifier, started.nonce, redirect_uri, directory=directory
        )
    except CodeRefused:
        raise refusals.not_signed_in() from None
    except Inconclusive as error:
        raise refusals.sign_in_unchecked(error.reason) from None
    except InvalidToken as error:
        if error.reason in INCONCLUSIVE:  # Entra has just issued the token
            raise refusals.sign_in_unchecked(error.reason) from None
        get_logger().warning("id_token_refused", reason=error.reason)
        if error.reason == CONSUMER_ACCOUNT:
            raise refusals.personal_account() from None
        raise refusals.not_signed_in() from None


def _load_purchase(app: App, token: str, target: SignInTarget, sessions: Sessions) -> marketplace.Subscription:
    """Microsoft's copy of the purchase.

    Raises:
        NotFound: the visit with the purchase is over.
        InvalidRequest, Inconclusive: as marketplace_call.
    """
    visit = None if target.visit is None else find_visit(app, target.visit, sessions)
    with marketplace_call() as deadline:
        client = require_client(app)
        bought = client.resolve(token, deadline) if visit is None else client.get(str(visit.marketplace_id), deadline)
        if not bought.beneficiary.tid:
            raise UnreadableResponse("no_beneficiary")
        return bought


def _sign_in_client(app: App) -> "SignInClient":
    client = sign_in.of(app)
    if client is None:
        raise refusals.landing_page_off()
    return client
