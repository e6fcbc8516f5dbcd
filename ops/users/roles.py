"""The commands `users confirm-role` and `users hand-over`: roles set by an operator, with proof."""

import re
from collections.abc import Callable
from typing import Annotated, Final

import typer

from ops import arguments
from ops.confirm import ChangeOptions, DryRun, ProposedChange, Yes
from ops.database import Database
from ops.errors import WrongUsage
from ops.output import AsJson
from ops.privacy.app import find_person, open_privacy_app
from ops.tenants.commands import TenantName, find_tenant
from ops.work import operator_work
from privacy.person_store import Person
from shared.app import App
from shared.tenancy.model import Role, Tenant
from shared.work import Work
from tenants.people import role_service
from tenants.seat_store import find_super_admins


User = Annotated[str, typer.Argument(metavar="USER", help=arguments.PERSON)]
Proof = Annotated[
    str,
    typer.Option(metavar="REFERENCE", help="reference of your proof, like a ticket number; without names"),
]
_PROOF: Final = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._/#-]{0,63}\Z")


def register(app: typer.Typer) -> None:
    """Adds the commands to their group."""
    app.command()(confirm_role)
    app.command()(hand_over)


def confirm_role(
    name: TenantName, user: User, proof: Proof, *, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Apply the role of a person's invitation.

    Only if no super admin has signed in for 30 days.
    """
    _require_reference(proof)
    with open_privacy_app() as (app, database):
        tenant, person = _find(app, database, name, user)
        with app.transaction(reads_only=True) as tx:
            pending = role_service.find_pending_role(tx, tenant.id, person.id)
        after = {str(person.public_id): pending or person.role}
        change = ProposedChange.between(tenant.slug, {str(person.public_id): person.role}, after)

        def apply(work: Work) -> None:
            role_service.confirm_role(work, person.id, proof=proof)

        _apply(app, tenant, change, ChangeOptions(yes, dry_run, as_json), apply)


def hand_over(
    name: TenantName,
    user: User,
    proof: Proof,
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="the other super admins become users; by default they stay super admins")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a person the tenant's super admin.

    Only with proof that the customer wants it.
    """
    _require_reference(proof)
    with open_privacy_app() as (app, database):
        tenant, person = _find(app, database, name, user)
        with app.transaction(reads_only=True) as tx:
            others = [each for each in find_super_admins(tx, tenant.id) if replace and each.id != person.id]
        before = {str(person.public_id): person.role} | {str(each.public_id): each.role for each in others}
        after = {str(person.public_id): Role.SUPER_ADMIN} | {str(each.public_id): Role.USER for each in others}

        def apply(work: Work) -> None:
            role_service.hand_over(work, person.id, proof=proof, replaces=replace)

        change = ProposedChange.between(tenant.slug, before, after)
        _apply(app, tenant, change, ChangeOptions(yes, dry_run, as_json), apply)


def _require_reference(proof: str) -> None:
    if not _PROOF.match(proof):
        raise WrongUsage(f"--proof {proof!a} is not a reference: expected letters, digits and . _ / # -, at most 64")


def _find(app: App, database: Database, name: str, user: str) -> tuple[Tenant, Person]:
    tenant = find_tenant(database, name).tenant
    return tenant, find_person(app, tenant.id, user)


def _apply(
    app: App, tenant: Tenant, change: ProposedChange, options: ChangeOptions, apply: Callable[[Work], None]
) -> None:
    if change.confirm(options):
        with operator_work(app, tenant.id, locks_tenant=True) as work:
            apply(work)
        change.report(options, changed=True)
