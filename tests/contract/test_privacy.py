"""The catalog of personal data has every column, and its rules can be executed."""

import sqlalchemy as sa

from privacy.catalog.columns import CATALOG
from privacy.catalog.kinds import DataKind, RowAction
from shared.db.schema import metadata
from tests.support.cases import check_all


TABLES = sorted(metadata.tables)


def test_the_catalog_classifies_the_personal_data_of_every_column():
    """A new column needs a line in privacy/catalog/columns.py: whether it may hold personal data, and its erasure."""

    def holds(name: str) -> None:
        assert name in CATALOG
        assert set(CATALOG[name].columns) == {column.name for column in metadata.tables[name].columns}

    check_all(holds, TABLES, at_least=30)


def test_the_catalog_knows_no_table_that_is_not_there():
    assert set(CATALOG) == set(TABLES)


def test_rows_of_a_person_reference_the_person_by_key_and_never_by_address():
    def holds(name: str) -> None:
        facts, table = CATALOG[name], metadata.tables[name]

        assert all(isinstance(table.c[column].type, sa.BigInteger | sa.INTEGER) for column in (*facts.of, *facts.by))

    check_all(holds, TABLES, at_least=30)


def test_every_row_with_a_user_is_that_users():
    def holds(name: str) -> None:
        assert CATALOG[name].of == ("user_id",)

    check_all(holds, (name for name in TABLES if "user_id" in metadata.tables[name].c), at_least=10)


def test_free_text_can_be_found_again_by_a_row_number():
    def holds(name: str) -> None:
        free = [column for column, kind in CATALOG[name].columns.items() if kind.is_text]

        assert free == [] or "id" in metadata.tables[name].c

    check_all(holds, TABLES, at_least=30)


def test_every_row_with_free_text_has_a_time_for_the_list_of_mentions():
    def holds(name: str) -> None:
        facts = CATALOG[name]
        free = [column for column, kind in facts.columns.items() if kind.is_text and name != "action_log"]

        assert bool(free) == (facts.at is not None)
        assert facts.at is None or facts.at in metadata.tables[name].c

    check_all(holds, TABLES, at_least=30)


def test_a_document_is_a_version_of_an_entry_or_holds_no_text_of_people():
    def holds(name: str) -> None:
        documents = {column.name for column in metadata.tables[name].columns if isinstance(column.type, sa.JSON)}

        assert {CATALOG[name].columns[column] for column in documents} <= {
            DataKind.VERSION,
            DataKind.FACT,
            DataKind.ANSWER,
        }

    check_all(holds, TABLES, at_least=30)


def test_remaining_rows_have_no_reference_to_removed_tables():
    def holds(name: str) -> None:
        if CATALOG[name].tenant_erased is RowAction.KEEP:
            pointed_at = {key.referred_table.name for key in metadata.tables[name].foreign_key_constraints}

            assert {CATALOG[each].tenant_erased for each in pointed_at} <= {RowAction.KEEP}

    check_all(holds, TABLES, at_least=30)
