"""Closed months: later changes in them are adjustments."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Integer
from sqlalchemy import ForeignKeyConstraint as ForeignKey
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey

from shared.db.schema.base import metadata
from shared.db.types import UtcDateTime


closed_months = sa.Table(
    "closed_months",
    metadata,
    Column("tenant_id", BigInteger, nullable=False, autoincrement=False),
    Column("month_key", Integer, nullable=False, autoincrement=False),  # yyyymm, in the tenant's time zone
    Column("closed_at", UtcDateTime, nullable=False),
    PrimaryKey("tenant_id", "month_key"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    sqlite_with_rowid=False,
)
