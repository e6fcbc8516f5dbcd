"""usage that was not accepted, by its hour."""

import sqlalchemy as sa
from alembic import op


revision = "9e2f4b61c7d8"
down_revision = "3c639af065e5"
_NOT_ACCEPTED = sa.text("state <> 'accepted'")


def upgrade() -> None:
    op.create_index(
        "ix_usage_events_not_accepted",
        "usage_events",
        ["slot"],
        unique=False,
        mssql_where=_NOT_ACCEPTED,
        postgresql_where=_NOT_ACCEPTED,
        sqlite_where=_NOT_ACCEPTED,
    )


def downgrade() -> None:
    op.drop_index("ix_usage_events_not_accepted", table_name="usage_events")
