"""What the database itself must be for the product's promises to hold: asked by migrations and by `ops check`."""

from typing import Final

import sqlalchemy as sa


COLLATION: Final = "Latin1_General_100_BIN2_UTF8"
_ABOUT: Final = sa.text(
    "SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Collation') AS NVARCHAR(128)) AS collation_name,"
    " CAST(is_read_committed_snapshot_on AS INT) AS reads_snapshots FROM sys.databases WHERE name = DB_NAME()"
)


def requirements(tx: sa.Connection) -> dict[str, str]:
    """By name, what is wrong and what to do about it, empty where the requirement is met; only Azure SQL has some."""
    if tx.dialect.name != "mssql":
        return {}
    found = tx.execute(_ABOUT).one()
    binary = found.collation_name.removesuffix("_UTF8").endswith("_BIN2")
    return {
        # Under the default one, keys and names that differ in case alone are one
        "database_compares_texts_exactly": ""
        if binary
        else f"the collation is {found.collation_name}; make the database anew with COLLATE {COLLATION}",
        # Without it closing a month and correcting time wait for one another, and deadlock
        "database_reads_snapshots": ""
        if found.reads_snapshots
        else "run: ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON",
    }
