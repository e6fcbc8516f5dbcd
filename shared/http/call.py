"""One request in progress: who calls, in which transaction, and the answer that is kept with the work."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

import azure.functions as func
import sqlalchemy as sa

from shared.app import App
from shared.auth.tokens import Principal
from shared.errors import ApiError, Conflict, Forbidden
from shared.http.address import base_address
from shared.http.etag import versions_wanted
from shared.http.idempotency import RequestKey, fingerprint, keep, recall, replace
from shared.http.operation import IfMatch, Operation
from shared.http.problem import problem
from shared.http.reply import Reply
from shared.http.wire import WireModel
from shared.permissions import Access
from shared.tenancy import store
from shared.tenancy.model import Caller
from shared.tenancy.rules import deactivated, require_not_cancelled
from shared.work import Actor, Work


T = TypeVar("T")


@dataclass(slots=True)
class Call:
    """What a handler is given. `principal` is set where a token is needed, `caller` inside a transaction."""

    app: App
    operation: Operation
    request: func.HttpRequest
    request_id: str
    idempotency_key: str | None = None
    _principal: Principal | None = None
    _caller: Caller | None = None
    _now: dt.datetime | None = None
    _answers: bool = False
    _may_be_done: bool = False
    _made: dict[Callable[["Call"], Any], Any] = field(default_factory=dict)
    # The random ids of the caller's tenant and account, also of one who is refused
    known_as: dict[str, str] = field(default_factory=dict)

    def authenticate(self) -> None:
        """Checks the token, on every call.

        Raises:
            InvalidToken, InsufficientScope, Unavailable: as shared.auth.tokens says.
        """
        self._principal = self.app.validator.validate(self.request.headers.get("authorization"))

    @property
    def principal(self) -> Principal:
        assert self._principal is not None, "this operation needs no token"  # noqa: S101 - a slip of ours
        return self._principal

    @property
    def caller(self) -> Caller:
        assert self._caller is not None, "the caller is known inside the transaction"  # noqa: S101 - a slip of ours
        return self._caller

    @property
    def now(self) -> dt.datetime:
        """The one instant of this call, read once the caller's row is held, so that a user's calls stay in order."""
        if self._now is None:
            self._now = self.app.now()
        return self._now

    @property
    def may_be_repeated(self) -> bool:
        """Whether running the handler again cannot do its work twice: none was committed, or the key would find it."""
        return not self._may_be_done or self.idempotency_key is not None

    @property
    def is_head(self) -> bool:
        """Whether only the headers of the answer are asked for, so that nothing of its body leaves."""
        return bool(self.request.method == "HEAD")

    @property
    def sees_everyone(self) -> bool:
        """Whether the caller's role shows them the whole tenant's rows here."""
        return self.operation.permission.sees_everyone(self.caller.user.role)

    @property
    def versions_wanted(self) -> frozenset[int] | None:
        """The versions that If-Match names, or None where it names none or any.

        Raises:
            PreconditionRequired: the operation demands it, and it is not there.
            PreconditionFailed, InvalidRequest: as shared.http.etag says.
        """
        return versions_wanted(self.request, required=self.operation.if_match is IfMatch.REQUIRED)

    def once(self, make: Callable[["Call"], T]) -> T:
        """What `make` makes of this call, made when first asked for."""
        if make not in self._made:
            self._made[make] = make(self)
        made: T = self._made[make]
        return made

    @property
    def base_address(self) -> str:
        """What the addresses of our pages begin with.

        Raises:
            Misdirected: the settings do not say, and the request has not come from this machine.
        """
        return base_address(self.app.settings, self.request)

    def path(self, name: str) -> str:
        """The value of a parameter in the path."""
        value: str = self.request.route_params[name]
        return value

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """One transaction. The caller is read in it, and held when the operation writes: a user's writes queue up.

        Raises:
            Forbidden: the caller is unknown, deactivated, or has not the role this takes.
        """
        with self.app.transaction(reads_only=not self.operation.writes) as tx:
            self._now, self._answers = None, False
            if self.operation.permission.access >= Access.USER:
                self._caller = self._admit(tx)
            yield tx
            # Here, since a COMMIT whose answer is lost may have been done
            self._may_be_done = self._may_be_done or (self._answers and self.operation.writes)

    def work(self, tx: sa.Connection) -> Work:
        """What services are given: this transaction, the caller's tenant, the caller and the instant of the call."""
        return Work(tx, self.caller.tenant, Actor.user(self.caller.user.id), self.now, self.app.new_id)

    def answer(
        self,
        tx: sa.Connection,
        status: HTTPStatus,
        model: WireModel | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """The answer; when the request has an Idempotency-Key it is kept in this transaction."""
        self._answers = True
        reply = Reply.of(status, model, headers)
        if self.idempotency_key is not None:
            keep(tx, self._request_key(self.caller), reply, now=self.now)
        return reply

    def amend(self, tx: sa.Connection, reply: Reply) -> Reply:
        """Another answer than the one kept before, where what became of the work was known only after its commit."""
        if self.idempotency_key is not None:
            replace(tx, self._request_key(self.caller), reply)
        return reply

    def became(self, caller: Caller) -> None:
        """Tells who the caller turned out to be, where the operation itself finds or makes their account."""
        self._caller = caller
        self.known_as = _known_as(caller)

    def settle(self, error: ApiError | None) -> Reply | None:
        """The answer that the key had before; else, for a conflict, the refusal itself, kept from now on.

        A conflict is kept since a late repeat must not succeed where the first was told no. Other refusals are not:
        whoever pays, signs in or corrects a field may send the same request again, and so may whoever said when it
        was, since what such a request does depends on what it says and not on when it comes.
        """
        if self.idempotency_key is None:
            return None
        with self.transaction() as tx:
            caller = self._caller if self.operation.permission.access >= Access.USER else self._known(tx)
            if caller is None or not caller.user.is_active:
                return None
            key = self._request_key(caller)
            reply = recall(tx, key, now=self.now)
            if reply is None and isinstance(error, Conflict) and error.is_final:
                reply = problem(error, operation=self.operation.id, request_id=self.request_id)
                keep(tx, key, reply, now=self.now)
            return reply

    def require_admitted(self) -> None:
        """Reads the caller, and holds nothing, to know whether they may do this at all.

        Raises:
            Forbidden, PaymentRequired: as `transaction` does.
        """
        with self.app.transaction(reads_only=True) as tx:
            self._admit(tx, holds=False)

    def _known(self, tx: sa.Connection, *, holds: bool = True) -> Caller | None:
        holds_tenant = holds and self.operation.holds_tenant
        if holds_tenant:
            store.find_tenant(tx, tid=self.principal.tid, lock=True)
        # With the tenant held nobody's role changes. Waiting for the caller's row as well could be a deadlock with
        # their own correction of a past month, which holds that row and waits for the tenant.
        locks = holds and self.operation.writes and not holds_tenant
        return store.find_caller(tx, tid=self.principal.tid, oid=self.principal.oid, lock=locks)

    def _request_key(self, caller: Caller) -> RequestKey:
        assert self.idempotency_key is not None  # noqa: S101 - both callers have looked
        asked = fingerprint(self.request.url.partition("://")[2].partition("/")[2], self.request.get_body())
        return RequestKey(caller.tenant.id, caller.user.id, self.operation.id, self.idempotency_key, asked)

    def _admit(self, tx: sa.Connection, *, holds: bool = True) -> Caller:
        caller = self._known(tx, holds=holds)
        if caller is None:
            raise self._unknown(tx)
        self.known_as = _known_as(caller)
        if not caller.user.is_active:
            raise deactivated()
        permission = self.operation.permission
        if not permission.when_cancelled:
            require_not_cancelled(caller.tenant, caller.user.role, writes=self.operation.writes)
        if not permission.access.admits(caller.user.role):
            needed = permission.access.name.lower().replace("_", " ")
            raise Forbidden(f"Only {needed}s may do this. Ask one in your organization.", code="role_required")
        return caller

    def _unknown(self, tx: sa.Connection) -> Forbidden:
        tenant = store.find_tenant(tx, tid=self.principal.tid)
        if tenant is None:
            return tenant_not_registered()
        self.known_as = {"tenant": str(tenant.public_id)}
        return Forbidden("You have no account here yet. Sign in to TimeTracker first.", code="not_signed_in")


def _known_as(caller: Caller) -> dict[str, str]:
    return {"tenant": str(caller.tenant.public_id), "user": str(caller.user.public_id)}


def tenant_not_registered() -> Forbidden:
    return Forbidden(
        "Your organization does not use TimeTracker yet. Start a free trial in the extension, or buy TimeTracker in "
        "the Azure Marketplace.",
        code="tenant_not_registered",
    )
