"""The command `audit`: a tenant's audit log with the operators' ids, which tenants do not see."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

import sqlalchemy as sa
import typer

from ops.audit import store as audit_store
from ops.database import Database, open_database
from ops.output import AsJson, print_json_rows, print_rows
from ops.tenants.commands import TenantName, find_tenant


_COLUMNS: Final = ("AT (UTC)", "ACTION", "BY", "ID", "OPERATOR", "SUBJECT")
_PAGE: Final = 500


def command(
    name: TenantName,
    *,
    operators: Annotated[bool, typer.Option("--operators", help="only changes made by commands")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a tenant's audit log, newest first.

    An operator is a directory object id (entra:…), or a user number of the operating system (os:…).
    """
    with open_database() as database:
        tenant = find_tenant(database, name).tenant
        rows = _read_all(database, tenant.id, operators=operators)
        if as_json:
            print_json_rows(map(_document, rows))
        else:
            cells = ([row.at, row.action, row.actor_kind, row.actor, row.operator_id, row.subject] for row in rows)
            print_rows(_COLUMNS, cells, empty=f"No audit entries of {tenant.slug}.")


def _read_all(database: Database, tenant_id: int, *, operators: bool) -> Iterator[sa.Row[Any]]:
    before = None
    while True:
        with database.transaction(reads_only=True) as tx:
            page = audit_store.page(tx, tenant_id, before=before, size=_PAGE, operators=operators)
        yield from page
        if len(page) < _PAGE:
            return
        before = page[-1].id


def _document(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "at": row.at,
        "action": row.action,
        "actorKind": row.actor_kind,
        "actorId": row.actor,
        "operatorId": row.operator_id,
        "subjectUserId": row.subject,
        "before": row.before_change,
        "after": row.after_change,
    }
