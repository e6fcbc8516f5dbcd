"""Finds the caller of a verified token, and decides whether they may do an operation."""

import sqlalchemy as sa

from shared.auth.tokens import Principal
from shared.errors import Forbidden
from shared.http.operation import Operation
from shared.permissions import Access
from shared.tenancy import store
from shared.tenancy.model import Caller, Tenant
from shared.tenancy.rules import require_not_cancelled, user_deactivated


_ROLE_REQUIRED = {
    Access.ADMIN: "Requires the Admin role. Ask an admin.",
    Access.SUPER_ADMIN: "Requires the Super admin role. Ask a super admin.",
}


def find_caller(tx: sa.Connection, principal: Principal, operation: Operation, *, locks: bool = True) -> Caller | None:
    """The caller, locked until the transaction ends where the operation writes, so that their writes run in order."""
    locks_tenant = locks and operation.locks_tenant
    if locks_tenant:
        store.find_tenant(tx, tid=principal.tid, lock=True)
    # While the tenant is locked no role changes. Locking the caller's row as well could be a deadlock with their own
    # correction of a past month, which locks that row before the tenant.
    locks_caller = locks and operation.writes and not locks_tenant
    return store.find_caller(tx, tid=principal.tid, oid=principal.oid, lock=locks_caller)


def find_tenant(tx: sa.Connection, principal: Principal) -> Tenant | None:
    return store.find_tenant(tx, tid=principal.tid)


def require_allowed(caller: Caller, operation: Operation) -> None:
    """Lets through a caller who may do the operation.

    Raises:
        Forbidden: they are deactivated, or have a lower role.
        PaymentRequired: `subscription_cancelled`.
    """
    role, permission = caller.user.role, operation.permission
    if not caller.user.is_active:
        raise user_deactivated()
    if not permission.when_cancelled:
        require_not_cancelled(caller.tenant, role, writes=operation.writes)
    if not permission.access.admits(role):
        raise Forbidden(_ROLE_REQUIRED[permission.access], code="role_required")


def not_signed_in() -> Forbidden:
    return Forbidden("You have no account here yet. Sign in to TimeTracker first.", code="not_signed_in")


def tenant_not_registered() -> Forbidden:
    return Forbidden(
        "Your organization does not use TimeTracker yet. Start a free trial in the extension, or buy TimeTracker in "
        "the Azure Marketplace.",
        code="tenant_not_registered",
    )
