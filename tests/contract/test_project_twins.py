"""The migration that joins projects with names that look the same, from rows of the previous version."""

import uuid

import pytest
import sqlalchemy as sa

from devcloud import postgres
from tests.support.migrations import alembic
from tests.support.world import new_id


BEFORE, AFTER = "a4c07d91e2b6", "c81f5e2a9d47"
MADE = "2026-11-01T00:00:00.000Z"
# As the version before kept them: organization, name, key.
PROJECTS = [
    ("contoso", "Website", "contoso/website"),
    ("contoso", "Bu\N{COMBINING DIAERESIS}ro", "contoso/bu\N{COMBINING DIAERESIS}ro"),
    ("contoso", "Büro", "contoso/büro"),
    ("contoso", "Web\N{SOFT HYPHEN}site", "contoso/web\N{SOFT HYPHEN}site"),
    ("contoso", "Web\N{ZERO WIDTH SPACE}site", "contoso/web\N{ZERO WIDTH SPACE}site"),
    ("contoso", "No\N{NO-BREAK SPACE}break", "contoso/no\N{NO-BREAK SPACE}break"),
    ("Labs", "Website", "labs/website"),
]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/twins.db"
    return postgres.make_database(request.getfixturevalue("postgres_server"), f"twins_{uuid.UUID(new_id()).hex}")


@pytest.fixture
def engine_before(url):
    """Two tenants with the same projects; an engine without the product's types."""
    alembic(url, "upgrade", BEFORE)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as tx:
        for tenant in (1, 2):
            tx.execute(
                sa.text(
                    "INSERT INTO tenants (id, public_id, entra_tenant_id, slug, name, organization, plan_kind, status,"
                    " time_zone, seats_used, version, created_at, updated_at) VALUES (:tenant, :public, :directory,"
                    " :slug, 'Contoso', 'contoso', 'trial', 'active', 'UTC', 0, 1, :at, :at)"
                ),
                {"tenant": tenant, "public": new_id(), "directory": new_id(), "slug": f"t{tenant}", "at": MADE},
            )
            for number, name in enumerate(("contoso", "Labs")):
                tx.execute(
                    sa.text(
                        "INSERT INTO organizations (id, tenant_id, public_id, name, name_key, is_active, created_at)"
                        " VALUES (:id, :tenant, :public, :name, :key, :active, :at)"
                    ),
                    {
                        "id": tenant * 10 + number,
                        "tenant": tenant,
                        "public": new_id(),
                        "name": name,
                        "key": name.lower(),
                        "active": True,
                        "at": MADE,
                    },
                )
            for number, (organization, name, key) in enumerate(PROJECTS):
                tx.execute(
                    sa.text(
                        "INSERT INTO projects (id, tenant_id, organization_id, organization, name, name_key)"
                        " VALUES (:id, :tenant, :of, :organization, :name, :key)"
                    ),
                    {
                        "id": tenant * 100 + number,
                        "tenant": tenant,
                        "of": tenant * 10 + (organization == "Labs"),
                        "organization": organization,
                        "name": name,
                        "key": key,
                    },
                )
    yield engine
    engine.dispose()


def rows(engine):
    with engine.connect() as tx:
        found = tx.execute(sa.text("SELECT id, name, name_key, alias_of, joined_to FROM projects ORDER BY id"))
        return [tuple(row) for row in found]


def test_twins_count_as_one_and_the_others_keep_the_key_that_they_had(url, engine_before):
    alembic(url, "upgrade", AFTER)
    found = rows(engine_before)

    for tenant in (100, 200):
        keys = {number: (key, alias) for number, _, key, alias, _ in found if number // 100 * 100 == tenant}
        assert keys == {
            tenant + 0: ("contoso/website", None),
            tenant + 1: ("contoso/bu\N{COMBINING DIAERESIS}ro", tenant + 2),
            tenant + 2: ("contoso/büro", None),
            tenant + 3: ("contoso/web\N{SOFT HYPHEN}site", tenant + 0),
            tenant + 4: ("contoso/web\N{ZERO WIDTH SPACE}site", tenant + 0),
            tenant + 5: ("contoso/no break", None),
            tenant + 6: ("labs/website", None),
        }
    assert all(alias == joined for *_, alias, joined in found)
    assert {name for _, name, *_ in found} == {name for _, name, _ in PROJECTS}


def test_it_can_be_reverted_and_repeated(url, engine_before):
    alembic(url, "upgrade", AFTER)
    before = rows(engine_before)
    alembic(url, "downgrade", BEFORE)
    alembic(url, "upgrade", AFTER)

    assert rows(engine_before) == before
