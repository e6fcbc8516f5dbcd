"""The projects of a tenant: how their names are told apart, and which of them count as one."""

from typing import Final

import sqlalchemy as sa

from shared.db.schema import projects
from shared.text import name_key


NAME_KEY: Final = 205  # UTF-16 units that the key's column has left beside an organization and the stroke


def counted_as(rows: sa.FromClause = projects) -> sa.ColumnElement[int]:
    """The project as which one counts: the one it was joined with, or itself."""
    return sa.func.coalesce(rows.c.alias_of, rows.c.id)


def project_key(organization: str, project: str) -> str:
    """The key of a project's row. Organizations have plain letters, so that only their case can differ."""
    return f"{organization.lower()}/{project_name_key(project)}"


def project_name_key(project: str) -> str:
    return name_key(project, NAME_KEY)
