"""Names as the directory gave them, mentions that stay at an erasure, and the documents that erasures damaged.

Until now an erasure put its pseudonym wherever a text held the person's chosen name, also into dates, roles and zones
of the documents of both logs. Which rows that were is listed here once; what is damaged later breaks an invariant.
"""

import json
import re

import sqlalchemy as sa
from alembic import context, op

from shared import clock
from shared.db.types import UtcDateTime, choice, identity


revision = "5d3a9c41e7f2"
down_revision = "5c0e7a3d91f2"

_AT_ONCE = 1000
_users = sa.table(
    "users",
    sa.column("tenant_id", sa.BigInteger),
    sa.column("display_name", sa.Unicode(200)),
    sa.column("erased_at", UtcDateTime()),
)
_damaged = sa.table(
    "damaged_documents",
    sa.column("tenant_id", sa.BigInteger),
    sa.column("table_name", sa.String(24)),
    sa.column("row_id", sa.BigInteger),
    sa.column("found_at", UtcDateTime()),
)
_PSEUDONYM = re.compile(r"\Aerased-[0-9a-f]{12}\Z")


def upgrade() -> None:
    op.add_column("users", sa.Column("directory_name", sa.Unicode(200)))
    op.create_table(
        "kept_mentions",
        identity(),
        sa.Column("tenant_id", sa.BigInteger, nullable=False),
        sa.Column("subject_user_id", sa.BigInteger, nullable=False),
        sa.Column("table_name", sa.String(32), nullable=False),
        sa.Column("row_id", sa.BigInteger, nullable=False),
        sa.Column("kept_by", sa.BigInteger, nullable=False),
        sa.Column("kept_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["tenant_id", "subject_user_id"], ["users.tenant_id", "users.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "kept_by"], ["users.tenant_id", "users.id"]),
        sa.UniqueConstraint("tenant_id", "subject_user_id", "table_name", "row_id", name="uq_kept_mentions_place"),
    )
    op.create_table(
        "damaged_documents",
        identity(),
        sa.Column("tenant_id", sa.BigInteger, nullable=False),
        *choice("table_name", "timer_log", "audit_log"),
        sa.Column("row_id", sa.BigInteger, nullable=False),
        sa.Column("found_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.UniqueConstraint("tenant_id", "table_name", "row_id", name="uq_damaged_documents_row"),
    )
    if context.is_offline_mode():  # SQL that is only printed reads no rows, so it lists none
        return
    connection = op.get_bind()
    for tenant, pseudonyms in _erased(connection).items():
        for name in ("timer_log", "audit_log"):
            _list_damaged(connection, name, tenant, pseudonyms)


def downgrade() -> None:
    op.drop_table("damaged_documents")
    op.drop_table("kept_mentions")
    op.drop_column("users", "directory_name")


def _erased(connection: sa.Connection) -> dict[int, list[str]]:
    """The pseudonyms of those who are erased, by tenant: nothing else has damaged a document."""
    people = sa.select(_users.c.tenant_id, _users.c.display_name).where(_users.c.erased_at.is_not(None))
    found: dict[int, list[str]] = {}
    for row in connection.execute(people):
        if _PSEUDONYM.match(row.display_name):
            found.setdefault(row.tenant_id, []).append(row.display_name)
    return found


def _list_damaged(connection: sa.Connection, name: str, tenant: int, pseudonyms: list[str]) -> None:
    log = sa.table(name, *(sa.column(each) for each in ("id", "tenant_id", "before_change", "after_change")))
    documents = [sa.cast(log.c[each], sa.UnicodeText).label(each) for each in ("before_change", "after_change")]
    page = (
        sa.select(log.c.id, *documents)
        .where(log.c.tenant_id == tenant, log.c.id > sa.bindparam("after", type_=sa.BigInteger))
        .order_by(log.c.id)
        .limit(_AT_ONCE)
    )
    after = 0
    while rows := connection.execute(page, {"after": after}).all():
        of_row = {"tenant_id": tenant, "table_name": name, "found_at": clock.now()}
        damaged = [row.id for row in rows if any(_is_damaged(each, pseudonyms) for each in row[1:])]
        if damaged:
            connection.execute(_damaged.insert(), [{**of_row, "row_id": row_id} for row_id in damaged])
        after = rows[-1].id


def _is_damaged(document: str | None, pseudonyms: list[str]) -> bool:
    """Whether a pseudonym stands anywhere but in the note, which is text."""
    if document is None:
        return False
    try:
        fields = json.loads(document)
    except ValueError:
        return True
    if not isinstance(fields, dict):
        return fields is not None
    rest = json.dumps({name: value for name, value in fields.items() if name != "note"})
    return any(pseudonym in rest for pseudonym in pseudonyms)
