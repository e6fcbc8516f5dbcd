"""The command `users list`, and the group of commands about a tenant's people."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

import sqlalchemy as sa
import typer

from ops.database import Database, open_database
from ops.output import AsJson, print_json_rows, print_rows
from ops.tenants import store
from ops.tenants.commands import TenantName, find_tenant
from ops.tenants.views import USER_COLUMNS, user_document, user_row
from ops.users import roles
from shared.tenancy.model import Role


app = typer.Typer(help="The people of a tenant.", no_args_is_help=True, rich_markup_mode=None)
roles.register(app)
_PAGE: Final = 500


@app.command("list")
def list_users(
    name: TenantName,
    role: Annotated[Role | None, typer.Option(help="only people with this role")] = None,
    *,
    inactive: Annotated[bool, typer.Option("--inactive", help="only deactivated accounts")] = False,
    as_json: AsJson = False,
) -> None:
    """List the people of a tenant by creation date."""
    with open_database() as database:
        tenant = find_tenant(database, name).tenant
        people = _read_all(database, tenant.id, role=role and role.value, inactive=inactive)
        if as_json:
            print_json_rows(map(user_document, people))
        else:
            print_rows(USER_COLUMNS, map(user_row, people), empty=f"No such people in {tenant.slug}.")


def _read_all(database: Database, tenant_id: int, *, role: str | None, inactive: bool) -> Iterator[sa.Row[Any]]:
    after = 0
    while True:
        with database.transaction(reads_only=True) as tx:
            page = store.page_of_users(tx, tenant_id, after=after, size=_PAGE, role=role, inactive=inactive)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].id
