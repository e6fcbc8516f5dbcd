"""Sentences of the policy without another test."""

import ast
import datetime as dt
import uuid
from pathlib import Path

import sqlalchemy as sa

from billing.marketplace.usage_model import Usage
from billing.trials.jobs import end_all_trials
from privacy.erasure import flow as erasure_flow
from shared.db.schema import tenants
from tests.support.exports import export
from tests.support.scan import find_columns
from tests.support.world import new_id


ROOT = Path(__file__).resolve().parents[2]
DEPLOYED = ("shared", "timers", "reports", "tenants", "billing", "webhooks", "privacy")
NETWORK = {
    "requests",
    "urllib3",
    "httpx",
    "aiohttp",
    "socket",
    "http.client",
    "urllib.request",
    "smtplib",
    "azure.data",
    "shared.http_client",
}
# The modules that send data, and the receiving services.
SENDERS = {
    "shared/auth/signing_keys.py": "Entra's keys",
    "webhooks/landing/sign_in/client.py": "Entra, for those who sign in to the landing page",
    "billing/marketplace/tokens.py": "Entra, for the app's own token",
    "shared/http_client.py": "nobody by itself: the others send with it",
    "billing/marketplace/client.py": "the Marketplace",
    "billing/marketplace/transport.py": "the Marketplace",
    "timers/azure_devops/transport.py": "Azure DevOps, with the caller's own token",
    "timers/azure_devops/client.py": "Azure DevOps, with the caller's own token",
    "tenants/actions/log/tables.py": "the action log in Table Storage",
    "shared/restore/mark_table.py": "the mark in Table Storage: random ids, numbers and instants",
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def sends(path):
    return any(name == each or name.startswith(f"{each}.") for name in imports(path) for each in NETWORK)


def test_data_is_sent_only_to_the_named_services():
    modules = [path for top in DEPLOYED for path in (ROOT / top).rglob("*.py")]
    needed = (ROOT / "requirements.txt").read_text().lower()

    assert {str(path.relative_to(ROOT)) for path in modules if sends(path)} == set(SENDERS)
    assert not [name for name in ("opencensus", "sentry", "segment", "applicationinsights") if name in needed]


def test_usage_events_have_numbers_and_no_people():
    sent = Usage(uuid.UUID(new_id()), "users", 3, "paid", dt.datetime(2026, 11, 1, tzinfo=dt.UTC)).document()

    assert set(sent) == {"resourceId", "dimension", "quantity", "effectiveStartTime", "planId"}


def test_an_export_names_the_complaint_authority_and_no_automated_decisions(world):
    notice = export(world.tenant()).body["notice"]

    assert notice["automatedDecisions"] == "none"
    assert any(right.startswith("a complaint to the authority") for right in notice["rights"])
    assert {"purposes", "recipients", "source", "retention", "sale", "never"} <= set(notice)


def test_an_ended_trial_keeps_its_data_until_an_erasure_request(app, world, clock, engine):
    ada = world.tenant()
    ada.enter(note="from the trial")
    clock.tick(days=31)
    end_all_trials(app)
    with engine.connect() as tx:
        slug = tx.scalar(sa.select(tenants.c.slug).where(tenants.c.entra_tenant_id == uuid.UUID(ada.tid)))
    ada = world.renew_token(ada)
    kept = [entry["note"] for entry in ada.entries()]
    asked = ada.post("privacy/erasure", {"scope": "tenant", "confirm": slug})
    clock.tick(days=3)
    erasure_flow.execute_due(app)

    assert kept == ["from the trial"]
    assert asked.status == 201
    assert find_columns(engine, ada.email, ada.oid, "from the trial") == set()
