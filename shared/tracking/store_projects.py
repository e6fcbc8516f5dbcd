"""The projects of a tenant: how their names are told apart, and which of them count as one."""

from typing import Final

import sqlalchemy as sa

from shared.db.schema import projects


PROJECT_KEY: Final = 205  # UTF-16 units that the column has left beside an organization and the stroke
# The project as which one counts: the one it was joined with, or itself.
COUNTED_AS: Final = sa.func.coalesce(projects.c.alias_of, projects.c.id)
