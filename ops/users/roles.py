"""The commands `users confirm-role` and `users hand-over`: roles given by an operator who has checked the customer."""

import re
from collections.abc import Callable
from typing import Annotated, Final

import sqlalchemy as sa
import typer

from ops import personal
from ops.confirm import Asked, Change, DryRun, Yes
from ops.database import Database
from ops.exits import Unusable
from ops.output import AsJson
from ops.privacy.app import find_person, opened_app
from ops.tenants.commands import Name, find
from privacy.person_store import Person
from shared.app import App
from shared.tenancy.model import Role, Tenant
from shared.tenancy.store import lock_tenant
from shared.work import OPERATOR, Work
from tenants.people import role_service
from tenants.seat_store import find_super_admins


User = Annotated[str, typer.Argument(metavar="USER", help=personal.HELP)]
Proof = Annotated[
    str,
    typer.Option(metavar="REFERENCE", help="where you keep the proof of who asks, like a ticket's number; no names"),
]
_PROOF: Final = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._/#-]{0,63}\Z")


def register(app: typer.Typer) -> None:
    """Adds the commands to their group."""
    app.command()(confirm_role)
    app.command()(hand_over)


def confirm_role(
    name: Name, user: User, proof: Proof, *, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Put the role of a person's invitation in force, where no super admin has signed in for 30 days."""
    _require_reference(proof)
    with opened_app() as (running, database):
        tenant, person = _found(running, database, name, user)
        with running.transaction(reads_only=True) as tx:
            pending = role_service.find_pending_role(tx, tenant.id, person.id)
        after = {str(person.public_id): pending or person.role}
        change = Change.between(tenant.slug, {str(person.public_id): person.role}, after)

        def work(tx: sa.Connection) -> None:
            role_service.confirm_role(_lock(running, tx, tenant.id), person.id, proof=proof)

        _carry_out(running, change, Asked(yes, dry_run, as_json), work)


def hand_over(
    name: Name,
    user: User,
    proof: Proof,
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="the other super admins become users; else they stay")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a person the tenant's super admin. Only when you have proof that the customer wants it."""
    _require_reference(proof)
    with opened_app() as (running, database):
        tenant, person = _found(running, database, name, user)
        with running.transaction(reads_only=True) as tx:
            others = [each for each in find_super_admins(tx, tenant.id) if replace and each.id != person.id]
        before = {str(person.public_id): person.role} | {str(each.public_id): each.role for each in others}
        after = {str(person.public_id): Role.SUPER_ADMIN} | {str(each.public_id): Role.USER for each in others}

        def work(tx: sa.Connection) -> None:
            role_service.hand_over(_lock(running, tx, tenant.id), person.id, proof=proof, replaces=replace)

        _carry_out(running, Change.between(tenant.slug, before, after), Asked(yes, dry_run, as_json), work)


def _lock(running: App, tx: sa.Connection, tenant_id: int) -> Work:
    """The tenant is locked, so that its roles stay as they are while they are checked and changed."""
    return Work(tx, lock_tenant(tx, tenant_id), OPERATOR, running.now(), running.new_id)


def _require_reference(proof: str) -> None:
    if not _PROOF.match(proof):
        raise Unusable(f"--proof {proof!a} is no reference: expected letters, digits and . _ / # -, at most 64")


def _found(running: App, database: Database, name: str, user: str) -> tuple[Tenant, Person]:
    tenant = find(database, name).tenant
    return tenant, find_person(running, tenant.id, user)


def _carry_out(running: App, change: Change, asked: Asked, work: Callable[[sa.Connection], None]) -> None:
    if change.agreed(asked):
        with running.transaction() as tx:
            work(tx)
        change.report(asked, changed=True)
