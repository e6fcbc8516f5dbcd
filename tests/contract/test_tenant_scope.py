"""Every statement on a tenant's table names the tenant: collected from the modules that build them."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.sql import visitors

from shared.db.schema import metadata
from shared.db.statements import InsertIfAbsent


ROOT = Path(__file__).resolve().parents[2]
# A directory is looked up by its Entra id to find its tenant, and jobs list the tenants they go through.
ACROSS_TENANTS = {
    ("privacy.store", "_TENANT_IDS"),
    ("shared.tenancy.store", "_TENANT"),
    ("shared.tenancy.store", "_TENANT_LOCKED"),
    ("shared.tenancy.store", "_CALLER"),
    ("shared.tenancy.store", "_CALLER_LOCKED"),
}
STORES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for top in ("timers", "reports", "tenants", "privacy", "shared")
    for path in (ROOT / top).rglob("*.py")
    if path.stem.split("_")[0] == "store" or path.stem == "idempotency"
)


def statements():
    for name in STORES:
        for attribute, value in vars(importlib.import_module(name)).items():
            found = value.values() if isinstance(value, dict) else [value]
            for each in found:
                if isinstance(each, sa.sql.expression.Executable | InsertIfAbsent):
                    yield pytest.param((name, attribute), each, id=f"{name}.{attribute}")


def names_its_tenant(statement: Any) -> bool:  # noqa: ANN401 - what a module holds
    """Whether each table in the statement is tied to a tenant: by its own column, or by the inserted one."""
    if isinstance(statement, InsertIfAbsent):
        return "tenant_id" in statement.columns or statement.table.name == "tenants"
    if isinstance(statement, sa.Insert):
        return "tenant_id" in statement.table.columns
    tied: set[str] = set()
    used: set[str] = set()
    for node in visitors.iterate(statement):
        if isinstance(node, sa.Table | sa.Alias) and node.name is not None:
            used.add(str(node.name))
        if isinstance(node, sa.sql.elements.BinaryExpression):
            for side in (node.left, node.right):
                if isinstance(side, sa.Column) and (side.name == "tenant_id" or str(side) == "tenants.id"):
                    tied.add(str(side.table.name))
    return used <= tied


@pytest.mark.parametrize(("where", "statement"), list(statements()))
def test_a_statement_names_the_tenant_of_every_table_it_touches(where, statement):
    assert names_its_tenant(statement) or where in ACROSS_TENANTS


def test_the_scan_finds_the_statements():
    found = {parameter.values[0] for parameter in statements()}

    assert len(found) >= 20
    assert found >= ACROSS_TENANTS


def test_a_statement_that_forgets_the_tenant_is_found_out():
    entries = metadata.tables["time_entries"]
    forgetful = sa.select(entries.c.id).where(entries.c.user_id == sa.bindparam("user"))

    assert not names_its_tenant(forgetful)
