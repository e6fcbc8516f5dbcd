import sqlalchemy as sa

from function_app import INVARIANTS
from shared.db.records_triggers import protect, unprotect


def test_every_invariant_is_checked_and_holds(ops, slug):
    checked = ops("check", "--json")

    assert slug
    assert checked.code == 0
    assert [(each["name"], each["holds"]) for each in checked.json] == [
        (name, True) for name in (*INVARIANTS, "records_are_append_only")
    ]


def test_a_missing_trigger_is_named(ops, slug, database_url):
    engine = sa.create_engine(database_url)
    with engine.begin() as tx:
        unprotect(tx, "audit_log")
    found, table = ops("check", "--json"), ops("check")
    with engine.begin() as tx:
        protect(tx)
    engine.dispose()
    line = next(line for line in table.out.splitlines() if line.startswith("records_are"))

    assert slug
    assert (found.code, table.code, ops("check").code) == (1, 1, 0)
    assert [each["name"] for each in found.json if not each["holds"]] == ["records_are_append_only"]
    assert line.split(maxsplit=1)[1] == "triggers are missing or changed on audit_log; run: alembic upgrade head"


def test_a_guard_that_stays_open_is_named(ops, slug, database_url):
    engine = sa.create_engine(database_url)
    name = engine.url.database
    opened, closed, said = {
        "sqlite": (
            "INSERT INTO record_guard (is_open) VALUES (1)",
            "DELETE FROM record_guard",
            "record_guard has a row, so erasable text can be changed; run: alembic upgrade head",
        ),
        "postgresql": (
            f"ALTER DATABASE {name} SET timetracker.records = 'open'",
            f"ALTER DATABASE {name} RESET timetracker.records",
            (
                "timetracker.records is set for the database or a role, so erasable text can be changed; "
                "run ALTER DATABASE or ALTER ROLE … RESET timetracker.records"
            ),
        ),
    }[engine.dialect.name]
    with engine.begin() as tx:
        tx.exec_driver_sql(opened)
    found = ops("check")
    with engine.begin() as tx:
        tx.exec_driver_sql(closed)
    engine.dispose()
    line = next(line for line in found.out.splitlines() if line.startswith("records_are"))

    assert slug
    assert (found.code, ops("check").code) == (1, 0)
    assert line.split(maxsplit=1)[1] == said


def test_a_violated_invariant_is_listed_with_its_rows(ops, tenant_rows, slug):
    tenant_rows.set(slug, seats_used=4)
    found, table = ops("check", "--json"), ops("check")
    tenant = tenant_rows.tenant(slug)
    tenant_rows.set(slug, seats_used=1)

    broken = [each for each in found.json if not each["holds"]]
    assert (found.code, table.code) == (1, 1)
    assert broken == [
        {
            "name": "seats_used_counts_enabled_accounts",
            "holds": False,
            "violations": 1,
            "firstIds": [tenant["id"]],
        }
    ]
    line = next(line for line in table.out.splitlines() if line.startswith("seats_used"))
    assert line.split() == ["seats_used_counts_enabled_accounts", "1", "violated", str(tenant["id"])]
