"""Refusals in the log have random ids, which show attempts, and no names."""

import json
import logging

import pytest

from tests.support.world import new_id


@pytest.fixture
def refusals(caplog):
    """The lines about refusals since."""
    caplog.set_level(logging.INFO, logger="timetracker")

    def read():
        lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "timetracker"]
        return [line for line in lines if line["event"] == "request_refused"]

    return read


def test_a_request_above_the_role_is_logged_with_random_ids(world, refusals):
    ada = world.tenant()
    ben = world.member(ada)
    refused = ben.get("audit")
    (line,) = refusals()

    assert refused.status == 403
    assert (line["operation"], line["status"], line["code"]) == ("list_audit", 403, "role_required")
    assert line["user"] == ben.get("me").body["id"]
    assert line["tenant"] == ada.get("tenant").body["id"]


def test_a_request_for_another_tenants_rows_is_logged_with_random_ids(world, refusals):
    ada, mallory = world.tenant(), world.tenant()
    entry = ada.enter().body["id"]
    refused = mallory.get(f"entries/{entry}")
    (line,) = refusals()

    assert refused.status == 404
    assert (line["status"], line["user"]) == (404, mallory.get("me").body["id"])
    assert entry not in json.dumps(line)


def test_a_person_without_an_account_is_logged_with_the_tenant_alone(world, refusals):
    ada = world.tenant()
    nobody = world.person(tid=ada.tid)
    refused = nobody.get("timers")
    (line,) = refusals()

    assert refused.code == "not_signed_in"
    assert line["tenant"] == ada.get("tenant").body["id"]
    assert "user" not in line


def test_an_invalid_request_is_logged_without_ids(world, refusals):
    ada = world.tenant()
    refused = [ada.get("entries?pageSize=none"), ada.post("timers/stop")]
    lines = refusals()

    assert [answer.status for answer in refused] == [line["status"] for line in lines]
    assert not {403, 404} & {line["status"] for line in lines}
    assert all("user" not in line and "tenant" not in line for line in lines)


def test_an_unknown_path_is_logged_without_ids(world, refusals):
    ada = world.tenant()
    ada.get(f"nothing/{new_id()}")

    assert all("user" not in line for line in refusals())
