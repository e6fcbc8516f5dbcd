"""One request in progress, as its handler sees it: the caller, the transaction and the reply."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlencode

import azure.functions as func
import sqlalchemy as sa

from shared.app import App
from shared.auth.tokens import Principal
from shared.errors import ApiError, Conflict
from shared.http.address import base_address, find_base_address
from shared.http.admission import find_caller, find_tenant, not_signed_in, require_allowed, tenant_not_registered
from shared.http.etag import parse_if_match
from shared.http.idempotency import RequestKey, lookup, replace, store
from shared.http.operation import API_VERSION, IfMatch, Operation
from shared.http.problem import to_problem
from shared.http.reply import Reply
from shared.http.versions import version_in_query
from shared.http.wire import WireModel
from shared.permissions import Access
from shared.tenancy.model import Caller
from shared.work import Actor, Work


T = TypeVar("T")


@dataclass(slots=True)
class Call:
    app: App
    operation: Operation
    request: func.HttpRequest
    request_id: str
    principal: Principal = field(init=False, repr=False)  # set where the operation needs a token
    caller: Caller = field(init=False, repr=False)  # set in a transaction, where the operation needs an account
    now: dt.datetime = field(init=False, repr=False)  # of the transaction, read after the caller's row is locked
    idempotency_key: str | None = None
    known_ids: Mapping[str, str] = field(default_factory=dict)  # random ids of tenant and user, for the log
    _may_be_done: bool = False
    _built: dict[Callable[["Call"], Any], Any] = field(default_factory=dict)

    @property
    def may_be_repeated(self) -> bool:
        """Whether the handler can run again without doing its work twice."""
        return not self._may_be_done or self.idempotency_key is not None

    @property
    def is_head(self) -> bool:
        """Whether the response has no body, so that no data leaves."""
        return bool(self.request.method == "HEAD")

    @property
    def sees_everyone(self) -> bool:
        """Whether the caller's role shows them the whole tenant's rows here."""
        return self.operation.permission.sees_everyone(self.caller.user.role)

    @property
    def if_match_versions(self) -> frozenset[int] | None:
        """The versions in If-Match; None where it has none, or is `*`.

        Raises:
            PreconditionRequired, InvalidRequest: as shared.http.etag says.
        """
        return parse_if_match(self.request, required=self.operation.if_match is IfMatch.REQUIRED)

    @property
    def base_address(self) -> str:
        """The beginning of our addresses.

        Raises:
            Misdirected: the setting is missing, and the request does not come from this machine.
        """
        return base_address(self.app.settings, self.request)

    def link(self, path: str) -> str:
        """The address of a path of the API, with the version if the request has it in its own address.

        Without scheme and host where the base address is not known.
        """
        version = version_in_query(self.request)
        query = "" if version is None else "?" + urlencode({API_VERSION: version})
        return f"{find_base_address(self.app.settings, self.request) or ''}/api/{path}{query}"

    def once(self, build: Callable[["Call"], T]) -> T:
        """The result of `build`, which runs once in a call."""
        if build not in self._built:
            self._built[build] = build(self)
        built: T = self._built[build]
        return built

    def path(self, name: str) -> str:
        """The value of a parameter in the path."""
        value: str = self.request.route_params[name]
        return value

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """One transaction, with the caller as read in it; if the operation writes, the caller's row is locked.

        Raises:
            Forbidden, PaymentRequired: the caller is unknown or may not do this.
        """
        with self.app.transaction(reads_only=not self.operation.writes) as tx:
            if self.operation.permission.access >= Access.USER:
                self._admit(tx)
            self.now = self.app.now()
            yield tx

    def work(self, tx: sa.Connection) -> Work:
        """The transaction with the caller's tenant, the caller and the time, as services take it."""
        return Work(tx, self.caller.tenant, Actor.user(self.caller.user.id), self.now, self.app.new_id)

    def answer(
        self,
        tx: sa.Connection,
        status: HTTPStatus,
        model: WireModel | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """The reply, as the last step of the transaction. With an Idempotency-Key it is stored in it."""
        reply = Reply.of(status, model, headers)
        if self.idempotency_key is not None:
            store(tx, self._request_key(self.idempotency_key, self.caller), reply, now=self.now)
        self._may_be_done = self._may_be_done or self.operation.writes  # the response to a COMMIT may be lost
        return reply

    def replace_reply(self, tx: sa.Connection, reply: Reply) -> Reply:
        """Stores another reply in place of the one stored before, when a later step changed the result."""
        if self.idempotency_key is not None:
            replace(tx, self._request_key(self.idempotency_key, self.caller), reply)
        return reply

    def set_caller(self, caller: Caller) -> None:
        """Sets the caller, where the operation itself finds or creates their account."""
        self.caller = caller
        self.known_ids = {"tenant": str(caller.tenant.public_id), "user": str(caller.user.public_id)}

    def replay_or_store(self, error: ApiError | None) -> Reply | None:
        """The reply that was stored for the key. If there is none and the error is a final conflict, stores that.

        A conflict is stored, since a late repeat must not succeed after the first request failed. Other errors are not:
        the same request may succeed after a payment, a sign-in or a corrected field. Nor are conflicts of late events,
        whose result depends on the times in them and not on when they arrive.
        """
        if self.idempotency_key is None:
            return None
        with self.transaction() as tx:
            has_caller = self.operation.permission.access >= Access.USER
            caller = self.caller if has_caller else find_caller(tx, self.principal, self.operation)
            if caller is None or not caller.user.is_active:
                return None
            key = self._request_key(self.idempotency_key, caller)
            reply = lookup(tx, key, now=self.now)
            if reply is None and isinstance(error, Conflict) and error.is_final:
                reply = to_problem(error, operation=self.operation.id, request_id=self.request_id)
                store(tx, key, reply, now=self.now)
            return reply

    def require_allowed(self) -> None:
        """Reads the caller, without a lock.

        Raises:
            Forbidden, PaymentRequired: as `transaction` does.
        """
        with self.app.transaction(reads_only=True) as tx:
            self._admit(tx, locks=False)

    def _admit(self, tx: sa.Connection, *, locks: bool = True) -> None:
        caller = find_caller(tx, self.principal, self.operation, locks=locks)
        if caller is not None:
            self.set_caller(caller)
            require_allowed(caller, self.operation)
            return
        tenant = find_tenant(tx, self.principal)
        if tenant is None:
            raise tenant_not_registered()
        self.known_ids = {"tenant": str(tenant.public_id)}
        raise not_signed_in()

    def _request_key(self, key: str, caller: Caller) -> RequestKey:
        return RequestKey.of(self.request, self.operation.id, key, caller)
