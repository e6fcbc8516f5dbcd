from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from shared import clock
from shared.db.schema import audit_log, tenants
from tests.support.commands import NOWHERE, Ops
from tests.support.world import Person


@dataclass(frozen=True)
class TenantRows:
    """The rows of a tenant."""

    engine: sa.Engine

    def tenant(self, slug: str) -> dict[str, Any]:
        with self.engine.connect() as connection:
            row = connection.execute(sa.select(tenants).where(tenants.c.slug == slug)).one()
        return dict(row._mapping)

    def audit(self, slug: str, action: str) -> list[dict[str, Any]]:
        query = (
            sa.select(audit_log)
            .join(tenants, tenants.c.id == audit_log.c.tenant_id)
            .where(tenants.c.slug == slug, audit_log.c.action == action)
            .order_by(audit_log.c.id)
        )
        with self.engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def set(self, slug: str, **values: Any) -> None:  # noqa: ANN401 - any value of a column
        with self.engine.begin() as connection:
            connection.execute(tenants.update().where(tenants.c.slug == slug).values(**values))


@pytest.fixture
def wrong_usage() -> Callable[..., str]:
    """Runs a command that is rejected before it opens a database; returns the line on standard error."""

    def run(*arguments: str) -> str:
        done = Ops(NOWHERE)(*arguments)
        assert (done.code, done.out) == (2, "")
        return done.message

    return run


@pytest.fixture
def tenant_rows(engine) -> TenantRows:
    return TenantRows(engine)


@pytest.fixture
def admin(world) -> Person:
    """The super admin of a trial that began now, by the clock of the command line."""
    world.clock.at = clock.now()
    person: Person = world.tenant()
    return person


@pytest.fixture
def slug(admin) -> str:
    found: str = admin.post("sign-in").body["tenant"]["slug"]
    return found
