"""The column types, with the same meaning on SQLite, PostgreSQL and Azure SQL."""

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mssql, postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from shared.instants import rfc3339


class UtcDateTime(TypeDecorator[dt.datetime]):
    """An aware UTC time, to the millisecond; naive values are refused.

    DATETIMEOFFSET(3) on Azure SQL, timestamptz(3) on PostgreSQL, fixed-width text that sorts by time on SQLite.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "mssql":
            return dialect.type_descriptor(mssql.DATETIMEOFFSET(3))  # type: ignore[no-untyped-call]
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.String(24))
        return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True, precision=3))

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:  # noqa: ANN401 - driver's
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        if dialect.name == "sqlite":
            return rfc3339(value)  # truncates, as below
        if value.tzinfo is not dt.UTC:
            value = value.astimezone(dt.UTC)
        return value.replace(microsecond=value.microsecond // 1000 * 1000)  # truncates; SQL Server would round

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:  # noqa: ANN401 - driver's
        if value is None:
            return None
        if dialect.name == "sqlite":
            return dt.datetime.fromisoformat(value)
        result: dt.datetime = value.astimezone(dt.UTC)
        return result


class Hours(TypeDecorator[Decimal]):
    """Decimal hours with four places; a scaled integer on SQLite, which has only binary fractions."""

    impl = sa.Numeric(12, 4)
    cache_ok = True
    QUANTUM = Decimal("0.0001")

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.BigInteger() if dialect.name == "sqlite" else sa.Numeric(12, 4))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | Decimal | None:
        if value is None:
            return None
        value = value.quantize(self.QUANTUM)
        return int(value.scaleb(4)) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ANN401 - driver's
        if value is None:
            return None
        return Decimal(int(value)).scaleb(-4) if dialect.name == "sqlite" else Decimal(value)


class Money(TypeDecorator[Decimal]):
    """Decimal money with four places; more places and binary fractions are refused, never rounded."""

    impl = sa.Numeric(19, 4)
    cache_ok = True
    QUANTUM = Decimal("0.0001")

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.BigInteger() if dialect.name == "sqlite" else sa.Numeric(19, 4))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | Decimal | None:
        if value is None:
            return None
        if not isinstance(value, Decimal) or value != value.quantize(self.QUANTUM):
            raise ValueError("money is a Decimal with at most four places")
        return int(value.scaleb(4)) if dialect.name == "sqlite" else value.quantize(self.QUANTUM)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ANN401 - driver's
        if value is None:
            return None
        return Decimal(int(value)).scaleb(-4) if dialect.name == "sqlite" else Decimal(value)


# 64-bit keys: IDENTITY on the servers; SQLite needs the type INTEGER for its row number.
BigId = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


class Day(TypeDecorator[dt.date]):
    """A calendar date, sent to Azure SQL as such: the dialect would send DATETIME2, which prevents use of the index."""

    impl = sa.Date()
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        # Compiled without a server version, the dialect would call a date DATETIME
        return dialect.type_descriptor(mssql.DATE() if dialect.name == "mssql" else sa.Date())

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ANN401 - SQLAlchemy's own, private
        return None if dialect.name == "mssql" else super().bind_processor(dialect)


class RandomId(FunctionElement[uuid.UUID]):
    """A random UUID from the database: a default for existing rows, and for code that does not set the column."""

    inherit_cache = True


@compiles(RandomId)
def _random_id(element: RandomId, compiler: SQLCompiler, **_: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    assert element is not None  # noqa: S101 - it has no parts
    return {
        "mssql": "NEWID()",
        "postgresql": "gen_random_uuid()",
        "sqlite": "(lower(hex(randomblob(6)) || '4' || substr(hex(randomblob(2)), 2)"
        " || '8' || substr(hex(randomblob(2)), 2) || hex(randomblob(6))))",
    }[compiler.dialect.name]


def identity() -> sa.Column[int]:
    """The clustered key: sequential, assigned by the database, never exposed."""
    return sa.Column("id", BigId, sa.Identity(always=False), nullable=False)


def choice(name: str, *values: str) -> tuple[sa.Column[str], sa.CheckConstraint]:
    """A short string of a fixed set, with its named CHECK.

    Not `sa.Enum`: on Azure SQL that binds NVARCHAR to VARCHAR, and the conversion prevents use of the index.
    """
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.Column(name, sa.String(24), nullable=False), sa.CheckConstraint(f"{name} IN ({listed})", name=name)


def only_where(predicate: sa.ColumnElement[bool]) -> dict[str, Any]:
    """The options of a partial index, for every database."""
    return {"mssql_where": predicate, "postgresql_where": predicate, "sqlite_where": predicate}
