"""Runs schemathesis against the served contract; each omitted check has its reason.

A run begins with valid writes of time: random ones are mostly refused, since a schema cannot express which times are
allowed, so a product that refuses all would pass.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import requests
import schemathesis
from schemathesis import engine
from schemathesis.checks import CheckContext
from schemathesis.core.failures import Failure
from schemathesis.engine import events
from schemathesis.generation import GenerationMode
from schemathesis.openapi.checks import RejectedPositiveData

from shared.http.openapi import problem_codes
from shared.http.operation import OPERATIONS
from tests.fuzz.semantic_rules import is_expected_refusal


Case: TypeAlias = schemathesis.Case[Any]


@dataclass(frozen=True)
class Budget:
    """The size of a run: random `examples` of each operation, and `walks` through the contract along its links.

    With `edges` also the boundary values of every field and parameter, about 2,000 requests.
    """

    examples: int
    walks: int
    edges: bool = True


# All checks of schemathesis are on, except one:
CHECKS: Final = {
    # It assumes identities without access to each other's data. Ours share a tenant, whose admins see all time;
    # tests/contract/test_permissions.py tests every route with every role on own and foreign ids.
    "object_level_authorization": {"enabled": False},
    # Without If-Match the response is 428 (RFC 6585), which schemathesis does not expect.
    "missing_required_header": {"expected-statuses": ["400", "401", "403", "428"]},
    # 412: a random If-Match. 413: a random body above the limit. 402: the plan has ended.
    "negative_data_rejection": {
        "expected-statuses": ["400", "401", "402", "403", "404", "405", "409", "412", "413", "415", "422", "428"]
    },
    "positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", "401", "402", "403", "404", "409", "412"]},
}
SHOWN: Final = {"If-Match", "Idempotency-Key", "Accept", "Content-Type"}  # of a failing request's headers
UNPROCESSABLE: Final = ("idempotency_key_reused",)  # random keys may repeat


@dataclass
class Findings:
    """`failures`: by operation, check and status, with the first request of each."""

    failures: dict[str, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    succeeded: Counter[str] = field(default_factory=Counter)

    def take(self, event: events.EngineEvent) -> None:
        if isinstance(event, events.NonFatalError | events.FatalError):
            self.failures[f"error: {getattr(event, 'label', 'fatal')}"] = repr(event)
        if not isinstance(event, events.ScenarioFinished):
            return
        recorder = event.recorder
        for case_id, interaction in recorder.interactions.items():
            if interaction.response is not None:
                self.statuses[interaction.response.status_code] += 1
                if interaction.response.status_code < 300:
                    self.succeeded[recorder.cases[case_id].value.operation.label] += 1
        for case_id, check, failure in _failed(recorder):
            said = recorder.interactions[case_id]
            assert said.response is not None
            key = f"{recorder.cases[case_id].value.operation.label}: {check} ({said.response.status_code})"
            headers = {name: value for name, value in said.request.headers.items() if name in SHOWN}
            shown = f"{said.request.method} {said.request.uri} {headers} {said.request.body!r}"[:600]
            self.failures.setdefault(key, f"{failure.message[:400]}\n{shown}\n{said.response.content[:500]!r}")


def _failed(recorder: Any) -> Iterator[tuple[str, str, Failure]]:  # noqa: ANN401 - schemathesis' own
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                yield case_id, check.name, check.failure_info.failure


def run(host: str, token: str, budget: Budget, *, seed: int) -> Findings:
    """Fuzzes every operation with the token."""
    generation = {"max-examples": budget.examples, "no-shrink": True, "database": "none"}
    config = schemathesis.Config.from_dict(
        {
            "seed": seed,
            "headers": {"Authorization": f"Bearer {token}"},
            "continue-on-failure": True,
            "checks": CHECKS,
            "generation": generation,
            "phases": {
                # The platform does not forward TRACE and QUERY: it responds with an empty 404.
                "coverage": {"enabled": budget.edges, "unexpected-methods": ["GET", "PUT", "POST", "DELETE", "PATCH"]},
                "stateful": {"generation": {**generation, "max-examples": budget.walks}},
            },
        }
    )
    schema = schemathesis.openapi.from_url(f"{host}/api/openapi.json", config=config)
    schema.hook(filter_case)
    schema.hook(filter_failure)
    schema.hook(after_call)
    findings = Findings()
    track_time(schema, token, findings)
    for event in engine.from_schema(schema).execute():
        findings.take(event)
    return findings


def track_time(schema: Any, token: str, findings: Findings) -> None:  # noqa: ANN401 - as of schemathesis
    """Starts and stops a timer, adds, corrects and deletes an entry, and sets the time of a day."""

    def call(
        path: str,
        method: str,
        *,
        tag: str | None = None,
        **given: Any,  # noqa: ANN401 - the fields of a case
    ) -> schemathesis.Response:
        headers = {"Authorization": f"Bearer {token}"} | ({} if tag is None else {"If-Match": tag})
        case = schema[path][method].Case(headers=headers, media_type="application/json", **given)
        response: schemathesis.Response = case.call_and_validate()
        findings.statuses[response.status_code] += 1
        assert response.status_code < 300, f"{case.operation.label}: {response.text}"
        findings.succeeded[case.operation.label] += 1
        return response

    work = {"organization": "contoso", "project": "Website", "workItemId": 7}
    hours = {"startedAt": "2026-11-23T09:00:00Z", "stoppedAt": "2026-11-23T10:00:00Z"}
    call("/api/timers/start", "POST", body={**work, "switch": True})
    call("/api/timers/stop", "POST", body={})
    entry = call("/api/entries", "POST", body={**work, **hours})
    this = {"id": entry.json()["id"]}
    change = {"note": "the review", "reason": "it said nothing"}
    corrected = call("/api/entries/{id}", "PATCH", path_parameters=this, tag=entry.headers["etag"][0], body=change)
    call("/api/entries", "POST", body={**work, "date": "2026-11-19", "elapsedMs": 3_600_000})
    day = {"date": "2026-11-19", "organization": "contoso", "id": "7"}
    more = {"project": "Website", "elapsedMs": 5_400_000, "expectedMs": 3_600_000}
    call("/api/days/{date}/work-items/{organization}/{id}", "PUT", path_parameters=day, body=more)
    why = {"reason": "it was another day"}
    call("/api/entries/{id}", "DELETE", path_parameters=this, tag=corrected.headers["etag"][0], query=why)


def filter_case(_context: Any, case: Case) -> bool:  # noqa: ANN401 - as schemathesis calls it
    """Omits headers that are no text, which the platform refuses with an empty 400 before our code runs.

    And values with surrounding spaces, which HTTP removes, so that an invalid value would become valid.
    """
    values = [str(value) for value in (case.headers or {}).values()]
    return all(value.isascii() and value.isprintable() and value == value.strip() for value in values)


def filter_failure(_context: Any, failure: Failure, case: Case, response: schemathesis.Response) -> bool:  # noqa: ANN401
    """Omits the expected refusals of semantic_rules.py."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    assert case.meta is not None
    if any(part.mode is GenerationMode.NEGATIVE for part in case.meta.components.values()):
        return False  # a valid body with a header that is invalid on purpose
    if OPERATIONS[case.operation.definition.raw["operationId"]].for_browser:
        return False  # random purchases and visits do not exist
    problem = response.json()
    if problem["code"] in UNPROCESSABLE:
        return False
    said = problem.get("errors", ())
    parameters = {**(case.path_parameters or {}), **(case.query or {}), **dict(case.headers or {})}
    return not said or not all(
        is_expected_refusal(error["pointer"], error["detail"], body=case.body, parameters=parameters) for error in said
    )


def after_call(_context: Any, case: Case, response: schemathesis.Response) -> None:  # noqa: ANN401
    """Allows the processing of the caller's data again, since tracking time is refused without it."""
    if case.operation.definition.raw["operationId"] == "change_rights" and response.status_code == HTTPStatus.OK:
        everything = {"restricted": False, "objected": False, "consentWithdrawn": False}
        request = response.request
        token = {"Authorization": request.headers["Authorization"]}
        requests.patch(str(request.url), json=everything, headers=token, timeout=30).raise_for_status()


@schemathesis.check
def has_documented_code(_context: CheckContext, response: schemathesis.Response, case: Case) -> None:
    """The contract must list the code of a refusal under its status, since clients branch on it."""
    content_type = response.headers.get("content-type", [""])[0]
    if not content_type.startswith("application/problem+json") or response.status_code == 405:
        return
    operation = OPERATIONS[case.operation.definition.raw["operationId"]]
    code = response.json()["code"]
    assert code in problem_codes(operation).get(response.status_code, ()), f"{code} is not in the contract"


@schemathesis.check
def has_no_store_headers(_context: CheckContext, response: schemathesis.Response, _case: Case) -> None:
    assert response.headers["cache-control"] == ["no-store"]
    assert response.headers["x-content-type-options"] == ["nosniff"]
