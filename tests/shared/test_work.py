"""Work has only the common data of a transaction; few modules construct it."""

import ast
import dataclasses
from pathlib import Path

from shared.work import Work
from tests.support.cases import check_all


ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("billing", "ops", "privacy", "reports", "shared", "tenants", "timers", "webhooks")
CONSTRUCTED_IN = {
    "shared/http/call.py": "edge: a request, whose caller and tenant were read for admission",
    "shared/jobs.py": "edge: a job, a flow or an operator's command, which reads or locks the tenant",
    "privacy/restore/flow.py": "flow: the tenant was locked together with the person",
    "tenants/sign_in/service.py": "service: the tenant is found by the directory of the token",
    "webhooks/landing/service.py": "service: the tenant is found by the visitor's directory or the purchase",
}


def test_work_has_five_fields_and_no_methods():
    own = [name for name in vars(Work) if not name.startswith("_")]

    assert [field.name for field in dataclasses.fields(Work)] == ["tx", "tenant", "actor", "now", "new_id"]
    assert sorted(own) == ["actor", "new_id", "now", "tenant", "tx"]


def test_each_module_that_constructs_a_work_has_a_reason_and_does_so_once():
    counts = {module: count for module in modules() if (count := constructions(module))}

    def holds(module: str) -> None:
        assert module in CONSTRUCTED_IN, "use call.work, job_work or work_in"
        assert counts.get(module) == 1, f"{counts.get(module, 0)} constructions"

    check_all(holds, sorted({*counts, *CONSTRUCTED_IN}), at_least=len(CONSTRUCTED_IN))


def modules() -> list[str]:
    return [str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")]


def constructions(module: str) -> int:
    calls = [node for node in ast.walk(ast.parse((ROOT / module).read_text())) if isinstance(node, ast.Call)]
    return sum(ast.unparse(call.func).split(".")[-1] == "Work" for call in calls)
