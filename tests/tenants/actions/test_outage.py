"""During an outage of Table Storage requests get 202, lost actions are counted, and nothing else is affected."""

import dataclasses
import json

import pytest

from shared.app import use
from tests.support import azurite as azurite_support


ACTION = {"type": "page.open", "page": "/reports/month"}


@pytest.fixture
def azurite_of_its_own():
    with azurite_support.required() as azurite:
        yield azurite


@pytest.fixture
def app(app, azurite_of_its_own):
    endpoint = azurite_of_its_own.connection_string
    settings = app.settings.model_copy(update={"action_log_table_endpoint": endpoint})
    with use(dataclasses.replace(app, settings=settings)) as other:
        yield other


def dropped_lines(caplog):
    lines = [json.loads(record.message) for record in caplog.records if "actions_dropped" in record.message]
    return [(line["operation"], line["count"], line["reason"] == "paused") for line in lines]


def test_an_outage_drops_actions_counts_them_and_disturbs_nothing_else(world, azurite_of_its_own, caplog):
    admin = world.tenant()
    before = admin.post("actions", ACTION)
    azurite_of_its_own.stop()
    first = admin.post("actions", {"items": [ACTION] * 3})
    others = [admin.post("actions", ACTION) for _ in range(5)]
    reading = admin.get("actions")

    assert before.body == {"accepted": 1, "dropped": 0}
    assert (first.status, first.body) == (202, {"accepted": 0, "dropped": 3})
    assert [(answer.status, answer.body) for answer in others] == [(202, {"accepted": 0, "dropped": 1})] * 5
    assert (reading.status, reading.code) == (503, "temporarily_unavailable")
    # only the first has asked the log, and waited for it
    assert dropped_lines(caplog) == [("record_actions", 3, False), *[("record_actions", 1, True)] * 5]
    assert (admin.start().status, admin.stop().status) == (201, 200)


def test_a_repeat_gets_the_number_of_dropped_actions_too(world, azurite_of_its_own):
    admin = world.tenant()
    azurite_of_its_own.stop()
    first = admin.post("actions", ACTION, key="k-1")
    second = admin.post("actions", ACTION, key="k-1")

    assert first.body == {"accepted": 0, "dropped": 1}
    assert (second.status, second.raw) == (202, first.raw)
    assert second.headers["Idempotent-Replayed"] == "true"


def test_the_caller_is_checked_during_an_outage(world, azurite_of_its_own):
    azurite_of_its_own.stop()

    assert world.person().post("actions", ACTION).status == 403
