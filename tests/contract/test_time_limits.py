"""The time limits that tests shorten, so that no test waits for them, and that are therefore claimed here."""

from billing.metering import flow as usage
from shared.auth import signing_keys
from shared.db import engine
from tenants.actions.log import bounded
from timers import azure_devops
from webhooks.events import flow as events
from webhooks.landing import purchase_flow


def test_requests_are_answered_within_these_seconds():
    limits = {
        "a start or stop, for Azure DevOps": azure_devops._CHANGE_SECONDS,
        "a report or a look-up, for Azure DevOps": azure_devops.LOOKUP_SECONDS,
        "a token, for Entra's keys": signing_keys.FETCH_SECONDS,
        "Microsoft, for the webhook": events.SECONDS,
        "a close, for the meter": usage.AT_ONCE_SECONDS,
        "a confirmed purchase, to be shown as active": purchase_flow._ACTIVATION_SECONDS,
        "an action, for Table Storage": bounded._WAIT_SECONDS,
        "a transaction, for another's lock": engine.LOCK_WAIT_SECONDS,
        "a connection on which nothing is heard": engine.SILENCE_SECONDS,
    }

    assert limits == {
        "a start or stop, for Azure DevOps": 4,
        "a report or a look-up, for Azure DevOps": 5,
        "a token, for Entra's keys": 3,
        "Microsoft, for the webhook": 5,
        "a close, for the meter": 3,
        "a confirmed purchase, to be shown as active": 3,
        "an action, for Table Storage": 2,
        "a transaction, for another's lock": 5,
        "a connection on which nothing is heard": 10,
    }
