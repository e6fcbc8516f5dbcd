"""After a restore, requests of hostile people since the backup are in force, and others' data is unchanged."""

import copy
import functools
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ops.restore.accept import Acceptance
from shared.app import use
from shared.clock import new_id
from shared.db.engine import make_engine
from shared.restore import flow, store
from tests.billing.conftest import metered_settings
from tests.privacy.test_hostile_people import Machine
from tests.support import installations
from tests.support.budget import tries
from tests.support.database_copies import database_copier
from tests.support.hostile import ADDRESSES, DIRECTORY_NAMES, NAMES


BEN, MAL, EVE, KIM = range(1, 5)
TEXTS = st.lists(st.sampled_from(NAMES), min_size=3, max_size=3, unique=True)
SOME_ADDRESSES = st.lists(st.sampled_from(ADDRESSES[4:]), min_size=2, max_size=2, unique=True)


@pytest.fixture(scope="module")
def going_back(another_database):
    engine = make_engine(another_database("going_back"))
    yield engine
    engine.dispose()


@pytest.fixture
def copies(tmp_path):
    return functools.partial(database_copier, tmp_path)


@pytest.fixture
def place(app, settings, marketplace, azurite):
    """The product with metering and a restore store, on the database of an engine."""
    given = metered_settings(settings, marketplace.api_url)
    watched = given.model_copy(update={"action_log_table_endpoint": azurite.connection_string})
    made = []

    def place(engine):
        made.append(replace(app, settings=watched, engine=engine))
        return made[-1]

    yield place
    for each in made:
        each.close()


def history_before(people):
    """Mal and Ben mention each other, an open invitation has time, and some names are alike."""
    people.an_admin_invites((0, "admin"), 1, 1, None, by_id=False)
    for some in range(2):
        people.ada_enters_time_for_an_invitation(some, 1, MAL)
    for who, about in ((BEN, MAL), (MAL, BEN), (EVE, KIM)):
        people.somebody_enters_time(who, 2, about, 0)
    people.somebody_starts_a_timer(EVE, 0, 1)
    people.somebody_renames_themselves(MAL, 1)


def history_since(people):
    """Mal takes a colleague's name and is erased, Eve stops processing, the invitation is merged into Ben."""
    people.somebody_takes_the_name_of_a_colleague(MAL, BEN)
    people.ada_merges_an_invitation(1, BEN)
    people.somebody_stops_processing(EVE, "restricted", is_wanted=True)
    people.ada_renames_the_organization("id")
    people.somebody_is_erased(MAL)


def test_a_restored_backup_keeps_the_rights_of_all_people(going_back, place, world, clock, copies):
    @settings(
        max_examples=tries(2),
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        deadline=None,
    )
    @given(names=st.permutations(DIRECTORY_NAMES), texts=TEXTS, addresses=SOME_ADDRESSES)
    @example(  # Mal's name has a number as a word, and Ben's text has it
        names=["Grace Hopper", "id 2026", "the user", "Kim Admin"],
        texts=["id", "2026", "11"],
        addresses=["kim@{}\N{ZERO WIDTH SPACE}", "boss.strasse@{}"],
    )
    def check(names, texts, addresses):
        installations.change(going_back, public_id=new_id())  # each example is its own installation
        production = place(going_back)
        people = Machine(production, world, clock, going_back)
        with copies() as backup:
            with use(production):
                people.an_organization(names, texts, ["kim@{}", "kim+id@{}", *addresses])
                history_before(people)
                mal, eve = people.row_of(people.people[MAL]), people.row_of(people.people[EVE])
                restored = place(backup(going_back))
                back = copy.copy(people)
                back.app, back.engine, back.people = restored, restored.engine, list(people.people)
                history_since(people)
                people.teardown()
            with use(restored):
                with back.changing():
                    back.run_due_erasures()  # before the start of the restore: the mark alone holds it
                assert flow.read_installation(restored).is_held
                with back.changing(), restored.transaction() as tx:
                    assert store.begin(tx, now=clock())
                back.somebody_enters_time(KIM, 0, BEN, None)
                with back.erasing(mal, changing=[eve]):
                    accept(restored)
                back.stranger_rows |= restore_records(back)
                back.rows_of_other_organization_are_unchanged()
                back.totals_are_those_of_the_log()
                assert back.rows()["users", (eve,)]["restricted_at"] is not None
                [_] = back.unclaimed()  # Kim has claimed the other one
                back.ada_merges_an_invitation(0, BEN)
                assert back.unclaimed() == {}
                back.teardown()

    check()


def restore_records(people):
    """The stranger's additional audit row and notice."""
    new = {key: row for key, row in people.rows_of_stranger().items() if key not in people.stranger_rows}
    assert sorted(table for table, _ in new) == ["audit_log", "notices"]
    return new


def accept(app):
    accepting = Acceptance(app, {}, other_is_off=True, without_store=False)
    accepting.plan()
    accepting.run(lambda _: None)
    assert not flow.read_installation(app).is_held
