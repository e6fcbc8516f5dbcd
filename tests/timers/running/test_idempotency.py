from tests.support.world import WORK_ITEM, new_id


def test_a_repeated_start_gets_the_first_response(world, clock):
    ada = world.tenant()
    first = ada.start(7, key="start-1")
    clock.tick(minutes=3)
    repeated = ada.start(7, key="start-1")

    assert (repeated.status, repeated.raw) == (201, first.raw)
    assert repeated.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers


def test_a_late_repeat_of_a_start_after_the_stop_starts_nothing(world, clock):
    ada = world.tenant()
    first = ada.start(7, key="start-1")
    clock.tick(minutes=3)
    ada.stop(key="stop-1")
    late = ada.start(7, key="start-1")

    assert (late.status, late.raw) == (201, first.raw)
    assert ada.running().status == 204
    assert len(ada.log()) == 2


def test_a_repeated_stop_gets_the_entry_and_counts_it_once(world, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(minutes=3)
    first = ada.stop(key="stop-1")
    ada.start(8)
    clock.tick(minutes=3)
    repeated = ada.stop(key="stop-1")

    assert (repeated.status, repeated.raw) == (200, first.raw)
    assert ada.running().body["workItemId"] == 8
    assert ada.report().body["totalMs"] == 180_000


def test_a_key_with_another_body_is_refused_and_changes_nothing(world):
    ada = world.tenant()
    ada.start(7, key="start-1")
    refused = ada.start(8, key="start-1", switch=True)

    assert (refused.status, refused.code) == (422, "idempotency_key_reused")
    assert ada.running().body["workItemId"] == 7


def test_a_conflict_stays_a_conflict_for_its_key(world):
    ada = world.tenant()
    ada.start(7)
    refused = ada.start(8, key="start-2")
    ada.stop()
    late = ada.start(8, key="start-2")

    assert (refused.status, late.status) == (409, 409)
    assert late.body == refused.body
    assert ada.running().status == 204


def test_a_key_refused_after_the_trial_works_once_the_plan_allows_it(world, clock):
    ada = world.tenant()
    clock.tick(days=30)
    refused = ada.start(7, key="start-1")
    clock.tick(days=-1)

    assert refused.status == 402
    assert ada.start(7, key="start-1").status == 201


def test_a_key_belongs_to_one_person_and_one_operation(world):
    ada = world.tenant()
    ben = world.member(ada)
    started = [ada.start(7, key="same"), ben.start(7, key="same")]
    stopped = ada.stop(key="same")

    assert [each.status for each in started] == [201, 201]
    assert started[0].body["id"] != started[1].body["id"]
    assert stopped.status == 200


def test_after_48_hours_a_key_is_free_again(world, clock):
    ada = world.tenant()
    first = ada.start(7, key="start-1")
    clock.tick(minutes=1)
    ada.stop()
    clock.tick(hours=47, minutes=58, seconds=59)
    replayed = ada.start(7, key="start-1")
    clock.tick(seconds=1)
    fresh = ada.start(7, key="start-1")

    assert replayed.body["id"] == first.body["id"]
    assert fresh.status == 201
    assert fresh.body["id"] != first.body["id"]


def test_a_new_tenant_is_created_once_with_one_key(world):
    ada = world.person()
    body = {"name": "Contoso", "azureDevOpsOrganization": "contoso", "timeZone": "UTC"}
    first = ada.post("tenants", body, key="tenant-1")
    repeated = ada.post("tenants", body, key="tenant-1")
    other = ada.post("tenants", body, key="tenant-2")

    assert (first.status, repeated.status, repeated.raw) == (201, 201, first.raw)
    assert (other.status, other.code) == (409, "tenant_already_registered")


def test_a_key_must_be_printable_ascii_of_at_most_255(world):
    ada = world.tenant()
    refused = ada.http.send("POST", "timers/start", WORK_ITEM, token=ada.token, key="x" * 256)

    assert (refused.status, refused.code) == (400, "invalid_idempotency_key")
    assert ada.start(7, key="x" * 255).status == 201


def test_a_repeated_sign_in_with_a_key_gets_the_same_response(world, clock):
    ada = world.tenant()
    ben = world.person(ada.tid)
    key = new_id()
    first = ben.post("sign-in", key=key)
    clock.tick(hours=1)

    assert ben.post("sign-in", key=key).raw == first.raw
