"""The requirements of the database itself, checked by migrations and by `ops check`."""

from typing import Final

import sqlalchemy as sa


COLLATION: Final = "Latin1_General_100_BIN2_UTF8"
_ABOUT: Final = sa.text(
    "SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Collation') AS NVARCHAR(128)) AS collation_name,"
    " CAST(is_read_committed_snapshot_on AS INT) AS reads_snapshots FROM sys.databases WHERE name = DB_NAME()"
)


def find_problems(tx: sa.Connection) -> dict[str, str]:
    """The problem with each requirement and its solution, empty if it is met; only Azure SQL has requirements."""
    if tx.dialect.name != "mssql":
        return {}
    found = tx.execute(_ABOUT).one()
    binary = found.collation_name.removesuffix("_UTF8").endswith("_BIN2")
    return {
        # With the default collation, names that differ in case alone are equal
        "database_compares_texts_exactly": ""
        if binary
        else f"the collation is {found.collation_name}; create the database again with COLLATE {COLLATION}",
        # Without it, closing a month and correcting time deadlock
        "database_reads_snapshots": ""
        if found.reads_snapshots
        else "run: ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON",
    }
