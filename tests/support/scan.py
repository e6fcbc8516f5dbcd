"""Searches all columns of all tables for a person's identifiers, to find data that an erasure missed."""

import re
import uuid
from collections.abc import Iterator

import sqlalchemy as sa

from shared.db.schema import metadata, users
from tests.support import markers


def all_values(engine: sa.Engine) -> Iterator[tuple[str, str]]:
    """All values of the database, as text with their column."""
    with engine.connect().execution_options(reads_only=True) as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(sa.select(table)):
                for column, value in zip(table.columns, row, strict=True):
                    if value is not None:
                        yield f"{table.name}.{column.name}", str(value)


def find_columns(engine: sa.Engine, *marks: str) -> set[str]:
    """The columns that contain one of the texts, in any case; a UUID also without dashes."""
    spelled = {mark.lower() for mark in marks}
    spelled |= {uuid.UUID(mark).hex for mark in marks if re.fullmatch(r"[0-9a-f-]{36}", mark)}
    return {where for where, text in all_values(engine) if any(mark in text.lower() for mark in spelled)}


def find_people_without_account(engine: sa.Engine) -> set[tuple[str, str]]:
    """The columns with an identifier of a person without an account, and the person's object id."""
    accounts = sa.select(users.c.entra_object_id, users.c.email).where(users.c.erased_at.is_(None))
    with engine.connect() as connection:
        known = {
            markers.fold_case(str(value)) for row in connection.execute(accounts) for value in row if value is not None
        }
    return markers.find_identifiers(all_values(engine), markers.identifiers_without_account(known))
