"""The Bicep files agree with the settings, roles, runtime, host and privacy policy."""

import fnmatch
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pycep import BicepParser

from shared.db.engine import POOL_SIZE
from shared.settings import Settings


ROOT = Path(__file__).resolve().parents[2]
FILES = ("main", "resources", "monitoring", "link")
# Of the settings of the app these are secrets, and only a reference to the vault may be their value.
SECRETS = {"MARKETPLACE_CLIENT_SECRET", "LANDING_CLIENT_SECRET"}
# What the identity does with each: the host's locks and packages, the action log, telemetry, the vault's secrets.
ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "storage",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "storage",
    "3913510d-42f4-4e42-8a64-420c390055eb": "insights",
    "4633458b-17de-408a-b874-0445c86b69e6": "vault",
}
NOT_KEPT = {"ClientIP", "ClientCity", "ClientStateOrProvince", "ClientBrowser", "ClientOS"}
NOT_DEPLOYED = (
    *("devcloud", "tools", "tests", "ops", "migrations", "infra", "docs", "scripts", ".git", ".venv"),
    *("requirements-clients.txt", "requirements-dev.txt", "requirements-local.txt", "requirements-peer.txt"),
)
DEPLOYED = ("shared", "timers", "tenants", "reports", "billing", "webhooks", "privacy")


@cache
def text(name: str) -> str:
    return (ROOT / "infra" / f"{name}.bicep").read_text()


@cache
def parsed(name: str) -> dict[str, Any]:
    return dict(BicepParser().parse(text=text(name)))


def resource(name: str, symbol: str) -> dict[str, Any]:
    return dict(parsed(name)["resources"][symbol]["config"]["properties"])


def variable(name: str, symbol: str) -> Any:  # noqa: ANN401 - any Bicep value
    return parsed(name)["variables"][symbol]["value"]


def is_ours(path: str) -> bool:
    """Whether .funcignore lets a path go to Azure; no part of it may match."""
    lines = (ROOT / ".funcignore").read_text().split()
    return not any(fnmatch.fnmatch(part, line.rstrip("/")) for part in path.split("/") for line in lines)


def test_the_app_is_given_every_setting_and_no_other():
    assert set(variable("resources", "appSettings")) == {str(field.alias) for field in Settings.model_fields.values()}


def test_bicep_values_equal_the_defaults_of_the_settings():
    written = {
        name: value
        for name, value in variable("resources", "appSettings").items()
        if isinstance(value, str) and re.search(r"^https|\*", value)
    }
    defaults = {str(field.alias): field.default for field in Settings.model_fields.values()}

    assert "FORGOTTEN_TIMER_SCHEDULE" in written
    assert written == {name: defaults[name] for name in written}


def test_the_app_knows_the_address_that_it_is_deployed_to():
    given = variable("resources", "appSettings")["PUBLIC_URL"]["operator"]["operands"]

    assert given["condition"]["function"] == {"type": "empty", "parameters": {"item_to_test": "publicUrl"}}
    assert (given["true_value"], given["false_value"]) == ("https://${appName}.azurewebsites.net", "publicUrl")
    assert parsed("resources")["resources"]["app"]["config"]["name"] == "appName"


def test_no_setting_holds_a_secret():
    settings = text("resources")[: text("resources").index("resource identity")]
    for name in SECRETS:
        line = re.search(rf"^  {name}: (.*)$", settings, flags=re.MULTILINE)

        assert line is not None
        assert "@Microsoft.KeyVault(" in line[1], name


def test_every_parameter_reaches_a_module():
    main = parsed("main")["modules"]["resources"]["config"]["params"]
    handed = set(json.loads((ROOT / "infra/main.parameters.json").read_text())["parameters"])
    needed = {name for name, each in parsed("main")["parameters"].items() if each.get("default") is None}
    inner = set(parsed("main")["modules"]["resources"]["config"]["params"])

    assert needed <= handed == set(parsed("main")["parameters"])
    assert {name for name in handed & inner if str(main[name]) != name} == set()
    assert inner == set(parsed("resources")["parameters"])


def test_the_runtime_is_one_that_the_tests_run_on():
    runtime = resource("resources", "app")["functionAppConfig"]["runtime"]

    assert runtime == {"name": "python", "version": "3.13"}
    assert f"passes=(3.11 {runtime['version']})" in (ROOT / "scripts/test").read_text()


def test_an_instance_takes_no_more_requests_than_it_has_threads_and_connections():
    scale = resource("resources", "app")["functionAppConfig"]["scaleAndConcurrency"]
    threads = int(variable("resources", "platformSettings")["PYTHON_THREADPOOL_THREAD_COUNT"])

    assert scale["triggers"]["http"]["perInstanceConcurrency"] < threads <= POOL_SIZE


def test_only_encrypted_connections_and_no_keys_or_passwords():
    app, storage, server = (resource("resources", name) for name in ("app", "storage", "sqlServer"))

    assert (app["httpsOnly"], app["siteConfig"]["minTlsVersion"]) == (True, "1.2")
    assert (storage["allowSharedKeyAccess"], storage["allowBlobPublicAccess"]) == (False, False)
    assert (storage["minimumTlsVersion"], storage["supportsHttpsTrafficOnly"]) == ("TLS1_2", True)
    assert server["administrators"]["azureADOnlyAuthentication"] is True
    assert server["minimalTlsVersion"] == "1.2"
    assert resource("resources", "insights")["DisableLocalAuth"] is True
    assert all(resource("resources", name)["allow"] is False for name in ("ftp", "scm"))
    assert "Encrypt=yes" in str(variable("resources", "databaseUrl"))


def test_host_settings_match_routes_jobs_and_the_manual():
    host = json.loads((ROOT / "host.json").read_text())

    assert host["extensions"]["http"]["routePrefix"] == "api"
    assert host["functionTimeout"] == "00:30:00"
    assert "cors" not in resource("resources", "app")["siteConfig"]  # else preflights never reach the app


def test_the_database_is_never_paused_compares_like_the_others_and_has_35_days_of_backups():
    database = resource("resources", "database")

    assert "    autoPauseDelay: -1\n" in text("resources")  # which the parser takes for an expression
    assert database["collation"] == "Latin1_General_100_BIN2_UTF8"
    assert int(resource("resources", "backups")["retentionDays"]) == 35


def test_the_identity_has_the_roles_that_the_app_uses_and_no_other():
    given = re.findall(r"scope: (\w+)[^}]*?roleDefinitions', '([0-9a-f-]{36})'", text("resources"))

    assert {role: scope for scope, role in given} == ROLES


def test_telemetry_keeps_no_location_and_no_user_agent():
    dropped = variable("monitoring", "removeClientColumns")

    assert set(re.findall(r"Client\w+", dropped)) >= NOT_KEPT
    assert {"AppRequests", "AppTraces", "AppExceptions", "AppPageViews"} <= set(variable("monitoring", "telemetry"))
    assert resource("link", "workspace")["defaultDataCollectionRuleResourceId"] == "ruleId"


def test_telemetry_has_addresses_of_pages_without_their_query():
    cut, flows = text("monitoring"), resource("monitoring", "transform")["dataFlows"]

    assert re.search(r"""split\(Url, "\?"\)\[0\].*split\(Name, "\?"\)\[0\]""", cut)
    assert "transformKql: table == 'AppRequests' ? removeQueries : removeClientColumns" in cut
    assert flows


def test_the_platform_logs_no_requests():
    """Their lines have the user agent, and the address with its query."""
    levels = json.loads((ROOT / "host.json").read_text())["logging"]["logLevel"]
    chosen = max((name for name in levels if "Microsoft.AspNetCore.Hosting".startswith(name)), key=len)

    assert levels[chosen] == "Warning"


def test_sampling_keeps_all_events_of_alerts():
    host = json.loads((ROOT / "host.json").read_text())
    kept = host["logging"]["applicationInsights"]["samplingSettings"]["excludedTypes"].split(";")

    assert {"Request", "Trace", "Exception"} <= set(kept)


def test_alarms_cover_log_events_failures_and_silence():
    alarms = {alarm["name"]: alarm for alarm in variable("monitoring", "alarms")}
    tables = {re.match(r"\w+", alarm["query"])[0] for alarm in alarms.values()}  # type: ignore[index]
    comparisons = [match for alarm in alarms.values() for match in re.findall(r'(\w+) [!=]= "(\w+)"', alarm["query"])]
    known = "".join((ROOT / name).read_text() for name in ("shared/http/problem.py", "shared/health/jobs.py"))

    assert set(alarms) == {"alarms", "failed-requests", "failed-jobs", "silence"}
    assert tables <= set(variable("monitoring", "telemetry"))
    assert {name: (alarm["operator"], int(alarm["threshold"])) for name, alarm in alarms.items()} == {
        "alarms": ("GreaterThan", 0),
        "failed-requests": ("GreaterThan", 20),
        "failed-jobs": ("GreaterThan", 0),
        "silence": ("LessThan", 1),
    }
    assert all(f'"{value}"' in known for name, value in comparisons if name in {"event", "function"})


def test_every_event_that_may_raise_an_alarm_is_explained_to_operators():
    modules = [path.read_text() for top in DEPLOYED for path in (ROOT / top).rglob("*.py")]
    events = {event for module in modules for event in re.findall(r'\.error\(\s*"([a-z_]+)"', module)}
    manual = (ROOT / "docs/operations.md").read_text()

    assert len(events) >= 3
    assert {event for event in events if f"`{event}`" not in manual} == set()


@pytest.mark.parametrize("name", NOT_DEPLOYED)
def test_only_the_app_is_deployed(name):
    assert not is_ours(name)


@pytest.mark.parametrize("name", ["function_app.py", "host.json", "requirements.txt", "timers", "shared", "billing"])
def test_the_apps_files_are_deployed(name):
    assert is_ours(name)


def test_page_templates_and_their_engine_are_deployed():
    folder = ROOT / "webhooks/landing/templates"
    names = {path.name for path in folder.iterdir() if is_ours(str(path.relative_to(ROOT)))}

    assert names == {path.name for path in folder.iterdir()} >= {"style.css", "base.html", "set_up.html"}
    assert "jinja2==" in (ROOT / "requirements.txt").read_text()


def test_azd_finds_the_app_and_migrates_before_it_deploys():
    manifest = (ROOT / "azure.yaml").read_text()

    assert re.search(r"predeploy:.*\n(?:\s+.*\n)*?\s+run: scripts/migrate", manifest)
    assert "azd-service-name': 'api'" in text("resources")
    assert re.search(r"^  api:\n(?:    .*\n)*    host: function", manifest, flags=re.MULTILINE)


@pytest.mark.parametrize("name", FILES)
def test_no_output_holds_a_secret(name):
    assert not re.search(
        r"^output .*(?:[sS]ecret|[kK]eys?\b|listKeys|[pP]assword|[cC]onnectionString)", text(name), re.MULTILINE
    )


@pytest.mark.parametrize("name", FILES)
def test_a_parameter_that_is_a_secret_is_marked_as_one(name):
    secrets = re.findall(r"(.*)\nparam (\w*Secret)\b", text(name))

    assert {secret for before, secret in secrets if before != "@secure()"} == set()


@pytest.mark.parametrize("name", FILES)
def test_preview_versions_are_used_only_without_a_stable_one(name):
    previews = set(re.findall(r"'([\w./]+)@[\d-]+-preview'", text(name)))

    assert previews <= {"Microsoft.Insights/diagnosticSettings"}


@pytest.mark.parametrize(
    ("symbol", "scope", "kept"),
    [
        ("audited", "master", {"SQLSecurityAuditEvents"}),
        ("databaseLogs", "database", {"Errors", "Timeouts", "Blocks", "Deadlocks"}),
        ("vaultLogs", "vault", {"AuditEvent"}),
    ],
)
def test_logins_and_failures_are_audited(symbol, scope, kept):
    config = parsed("resources")["resources"][symbol]["config"]

    assert str(config["scope"]) == scope
    assert {each["category"] for each in config["properties"]["logs"]} == kept
    assert resource("resources", "auditing")["isAzureMonitorTargetEnabled"] is True


def test_the_database_audit_has_logins_and_statements_without_values():
    kept = set(resource("resources", "auditing")["auditActionsAndGroups"])

    assert {"SUCCESSFUL_DATABASE_AUTHENTICATION_GROUP", "FAILED_DATABASE_AUTHENTICATION_GROUP"} <= kept
    assert not any("BATCH" in each for each in kept)  # statements with their values, so people's names


@pytest.mark.parametrize("name", FILES)
def test_no_module_comes_from_a_registry(name):
    assert not re.search(r"'(?:br|ts)[:/]", text(name))
