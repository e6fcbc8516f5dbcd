"""The GitHub workflow and the Azure pipeline: permissions, pinned actions, and the same deployment as by hand."""

import json
import re
import tomllib
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text()
PIPELINE = (ROOT / "azure-pipelines.yml").read_text()
OF_TOOLS = (ROOT / ".github/workflows/tools.yml").read_text()
OF_TOOLS_TWIN = (ROOT / "azure-pipelines-tools.yml").read_text()
PARAMETERS = json.loads((ROOT / "infra/main.parameters.json").read_text())["parameters"]
# Each as `NAME` or `NAME=default`
GIVEN = [re.fullmatch(r"\$\{(\w+)=?(.*)\}", each["value"]) for each in PARAMETERS.values()]
SECRETS = {"MARKETPLACE_CLIENT_SECRET", "LANDING_CLIENT_SECRET"}


def job(name):
    return re.split(r"^  \w[\w-]*:", WORKFLOW.partition(f"\n  {name}:")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_a_deployment_by_the_workflow_has_every_parameter_and_its_default():
    wanted = {given[1]: "secrets" if given[1] in SECRETS else "vars" for given in GIVEN if given is not None}
    lines = dict(re.findall(r"^      (\w+): (\$\{\{ .*\}\})$", job("deploy"), flags=re.MULTILINE))

    assert None not in GIVEN
    assert {name: f"${{{{ {place}.{name}" for name, place in wanted.items()} == {
        name: re.split(r" \|\| | \}\}", lines.get(name, ""))[0] for name in wanted
    }
    for given in GIVEN:
        if given is not None and given[2]:
            assert f"|| '{given[2]}'" in lines[given[1]]


def test_the_twin_names_the_secrets_that_a_variable_group_does_not_hand_over():
    assert set(re.findall(r"^ +(\w+): \$\((\w+)\)$", PIPELINE, flags=re.MULTILINE)) == {
        (name, name) for name in SECRETS
    }


def test_the_workflow_may_read_and_only_the_deployment_may_ask_for_a_token():
    permissions = re.findall(r"^( *)permissions:\n((?:\1  .*\n)+)", WORKFLOW, flags=re.MULTILINE)

    assert [text.split() for _, text in permissions] == [
        ["contents:", "read"],
        ["contents:", "read", "id-token:", "write"],
    ]
    assert "id-token" in job("deploy")
    assert "environment: production" in job("deploy")


def test_secrets_are_for_the_deployment_of_main_alone():
    beyond = WORKFLOW.replace(job("deploy"), "")

    assert "secrets." not in beyond
    assert "pull_request_target" not in WORKFLOW
    assert "if: github.ref == 'refs/heads/main'" in job("deploy")
    assert "needs: [lint, test, supply-chain]" in job("deploy")


@pytest.mark.parametrize("used", re.findall(r"uses: (.+)", WORKFLOW + OF_TOOLS))
def test_an_action_is_pinned_to_a_commit_with_its_version(used):
    assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used)


@pytest.mark.parametrize("text", [WORKFLOW, PIPELINE], ids=["Actions", "Pipelines"])
def test_both_do_the_same(text):
    for step in (
        "scripts/lint",
        "scripts/test --pass $",
        "export $(scripts/sql-server) && scripts/test -n 4 -k mssql",
        "pip-audit --strict",
        "cyclonedx-py requirements",
        "scripts/driver",
        "azd up --no-prompt",
    ):
        assert step in text
    assert set(re.findall(r"3\.1[13]", text)) == {"3.11", "3.13"}
    assert "/api/health" in text


@pytest.mark.parametrize("text", [OF_TOOLS, OF_TOOLS_TWIN], ids=["Actions", "Pipelines"])
def test_tools_are_tested_every_night_and_where_they_or_the_local_cloud_changed(text):
    parts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["timetracker"]["mutants"]

    assert "30 1 * * *" in text
    assert all(re.search(rf"[\[ \"]{folder}[/,\]]", text) for folder in ("devcloud", "tools", "tests/tools"))
    assert "scripts/test --tools" in text
    assert all(re.search(rf"\b{part}\b", text) for part in parts)
    assert "secrets." not in text
    assert "id-token" not in text


def test_the_image_of_sql_server_is_pinned_by_digest():
    image = re.findall(r"^image=(.*)$", (ROOT / "scripts/sql-server").read_text(), flags=re.MULTILINE)

    assert len(image) == 1
    assert re.fullmatch(r"mcr\.microsoft\.com/mssql/server:2022-CU\d+-ubuntu-22\.04@sha256:[0-9a-f]{64}", image[0])


def test_a_checkout_leaves_no_token_behind():
    both = WORKFLOW + OF_TOOLS
    checkouts = re.findall(r"actions/checkout@.*\n\s+with: (.*)", both)

    assert len(checkouts) == both.count("actions/checkout@")
    assert set(checkouts) == {"{ persist-credentials: false }"}
