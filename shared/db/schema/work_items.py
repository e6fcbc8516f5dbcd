"""Work items as last read from Azure DevOps, and the readings and favorites of each person."""

import sqlalchemy as sa
from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, String, Unicode
from sqlalchemy import ForeignKeyConstraint as ForeignKey
from sqlalchemy import PrimaryKeyConstraint as PrimaryKey
from sqlalchemy import UniqueConstraint as Unique

from shared.db.schema.base import metadata, of_organization, of_user, tenant_id
from shared.db.types import Day, UtcDateTime, identity


work_items = sa.Table(
    "work_items",
    metadata,
    identity(),
    tenant_id(),
    Column("organization_id", BigInteger, nullable=False),
    Column("organization_key", String(50), nullable=False),  # of the organization, for the previous version
    Column("work_item_id", BigInteger, nullable=False),
    Column("type", Unicode(128), nullable=False),
    Column("title", Unicode(400), nullable=False),  # empty when blanked, like the state; the name is then NULL
    Column("assignee_name", Unicode(256)),
    Column("state", Unicode(128), nullable=False),
    Column("project", Unicode(128)),  # NULL when blanked, and of items read before the column existed
    Column("fetched_at", UtcDateTime, nullable=False),
    PrimaryKey("id"),
    ForeignKey(["tenant_id"], ["tenants.id"]),
    of_organization(),
    Unique("tenant_id", "organization_key", "work_item_id"),
    Unique("tenant_id", "organization_id", "work_item_id"),
)

work_item_readers = sa.Table(
    "work_item_readers",
    metadata,
    tenant_id(),
    Column("user_id", BigInteger, nullable=False),
    Column("organization_id", BigInteger, nullable=False),
    Column("work_item_id", BigInteger, nullable=False),
    Column("read_on", Day, nullable=False),  # a day in UTC, since the time of a look-up is private
    PrimaryKey("tenant_id", "user_id", "organization_id", "work_item_id"),
    of_user(),
    of_organization(),
)

favorites = sa.Table(
    "favorites",
    metadata,
    tenant_id(),
    Column("user_id", BigInteger, nullable=False),
    Column("organization_id", BigInteger, nullable=False),
    Column("work_item_id", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),  # in the person's order, from 1 without gaps
    PrimaryKey("tenant_id", "user_id", "organization_id", "work_item_id"),
    of_user(),
    of_organization(),
    Unique("tenant_id", "user_id", "position"),
    CheckConstraint("position BETWEEN 1 AND 50", name="position"),  # so at most 50 of a person
)
