import json
import re
from pathlib import Path

import pytest

from shared.db.engine import make_engine
from shared.settings import Settings, SettingsError


ROOT = Path(__file__).resolve().parents[2]
SAMPLE = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
# What the platform itself reads.
OF_THE_PLATFORM = {"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage", "PYTHON_THREADPOOL_THREAD_COUNT"}
NAMES = {str(field.alias) for field in Settings.model_fields.values()}


def test_the_sample_has_every_setting_and_no_other():
    assert set(SAMPLE) - OF_THE_PLATFORM == NAMES


def test_the_sample_is_valid():
    assert Settings.from_env(SAMPLE).trial_days == 30


def test_the_readme_lists_every_setting_and_no_other():
    table = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), flags=re.MULTILINE)

    assert sorted(table) == sorted(NAMES)


def test_the_sample_holds_no_secret():
    assert max(len(part) for value in SAMPLE.values() for part in value.split(",")) < 64


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ENTRA_API_CLIENT_ID", "api://x", "GUID"),
        ("ENTRA_CLIENT_IDS", "not-a-guid", "GUID"),
        ("ENTRA_AUTHORITY", "login.example", "https://"),
        ("PUBLIC_URL", "http://timetracker.example.com", "https://"),
        ("PUBLIC_URL", "timetracker.example.com", "https://"),
        ("PUBLIC_URL", "https://timetracker.example.com/app", "without a path"),
        ("PUBLIC_URL", "https://timetracker.example.com?x=1", "without a path"),
        ("PUBLIC_URL", "https://ada@timetracker.example.com", "https://"),
        ("PUBLIC_URL", "http://127.0.0.1@evil.example", "https://"),
        ("PUBLIC_URL", "https://timetracker.example.com\n", "https://"),
        ("PUBLIC_URL", "https://.", "and a host"),
        ("PUBLIC_URL", "https://-", "and a host"),
        ("PUBLIC_URL", "https://a..b", "and a host"),
        ("PUBLIC_URL", "https://-a.example", "and a host"),
        ("PUBLIC_URL", "https://a.example-", "and a host"),
        ("PUBLIC_URL", "https://a.example.", "and a host"),
        ("PUBLIC_URL", f"https://{'a' * 64}.example", "and a host"),
        ("PUBLIC_URL", "https://a.example:0", "and a host"),
        ("PUBLIC_URL", "https://a.example:65536", "and a host"),
        ("PUBLIC_URL", "https://a.example:99999", "and a host"),
        ("CORS_ALLOWED_ORIGINS", "*", "exact origins"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example/path", "exact origins"),
        ("AZURE_DEVOPS_URL", "http://dev.azure.com", "https://dev.azure.com"),
        ("AZURE_DEVOPS_URL", "https://.", "https://dev.azure.com"),
        ("AZURE_DEVOPS_URL", "https://dev.azure.com:65536", "https://dev.azure.com"),
        ("MARKETPLACE_API_URL", "https://-/api", "https://"),
        ("MARKETPLACE_API_URL", "https://marketplaceapi.microsoft.com:99999/api", "https://"),
        ("AZURE_DEVOPS_URL", "https://dev.azure.com@evil.example", "https://dev.azure.com"),
        ("AZURE_DEVOPS_URL", "https://evil.example/dev.azure.com?", "https://dev.azure.com"),
        ("DATABASE_URL", "mssql+pyodbc://server/db?Encrypt=no", "Encrypt must be yes"),
        ("DATABASE_URL", "mssql+pyodbc://server/db?Encrypt=optional", "Encrypt must be yes"),
        ("DATABASE_URL", "mssql+pyodbc://server/db?encrypt=yes&Encrypt=no", "once"),
        ("DATABASE_URL", "mssql+pyodbc://server/db?Encrypt=yes&Encrypt=no", "Encrypt must be yes"),
        ("DATABASE_URL", "mssql+pyodbc://server/db?TrustServerCertificate=yes", "TrustServerCertificate must be no"),
        ("DATABASE_URL", "mssql+pyodbc://server/db?driver=FreeTDS", "Driver must be ODBC Driver 18 for SQL Server"),
        ("DATABASE_URL", "mssql+pyodbc://server/db?driver=ODBC+Driver+17+for+SQL+Server", "ODBC Driver 18"),
        ("DATABASE_URL", "mssql+pyodbc://server/db?Driver=SQL+Server", "ODBC Driver 18"),
        ("DATABASE_URL", "mssql+pyodbc://server/db?driver=/usr/lib/libtdsodbc.so", "ODBC Driver 18"),
        (
            *("DATABASE_URL", "mssql+pyodbc://s/db?driver=ODBC+Driver+18+for+SQL+Server&driver=FreeTDS"),
            "ODBC Driver 18",
        ),
        ("DATABASE_URL", "mssql+pyodbc://server/db?driver=&DRIVER=FreeTDS", "ODBC Driver 18"),
        ("DATABASE_URL", "mssql+pyodbc://server/db?odbc_connect=Server%3Dx", "odbc_connect may not"),
        ("DATABASE_URL", "mssql+pyodbc://server/db;Encrypt=no", "with a server and a database"),
        ("DATABASE_URL", "mssql+pyodbc://dsn", "with a server and a database"),
        ("DATABASE_URL", "mssql+pymssql://server/db", "pyodbc"),
        ("DATABASE_URL", "mssql://server:x/db", "SQLAlchemy URL"),
        ("ENTRA_AUTHORITY", "http://login.microsoftonline.com", "https://"),
        ("ENTRA_AUTHORITY", "http://127.0.0.1@evil.example", "https://"),
        ("ENTRA_KEYS_URL", "http://10.0.0.5/keys", "https://"),
        ("CORS_ALLOWED_ORIGINS", "http://evil.example", "exact origins"),
        ("CORS_ALLOWED_ORIGINS", "https://dev.azure.com,http://dev.azure.com", "exact origins"),
        ("CORS_ALLOWED_ORIGINS", "https://ada@dev.azure.com", "exact origins"),
        ("DATABASE_URL", "postgresql+psycopg://u:hunter2@db.example/x", "sslmode must be verify-full"),
        ("DATABASE_URL", "postgresql+psycopg://u@db.example/x?sslmode=disable", "sslmode must be verify-full"),
        ("DATABASE_URL", "postgresql+psycopg://u@db.example/x?sslmode=require", "sslmode must be verify-full"),
        ("DATABASE_URL", "postgresql+psycopg://u@db/x?sslmode=verify-full&sslmode=disable", "sslmode must be"),
        ("DATABASE_URL", "postgresql+psycopg://u@localhost/x?hostaddr=10.0.0.5", "hostaddr may not"),
        ("DATABASE_URL", "postgresql+psycopg://u@localhost/x?service=far", "service may not"),
        ("DATABASE_URL", "postgresql+psycopg://u@localhost/x?host=db.example", "sslmode must be verify-full"),
        ("DATABASE_URL", "postgresql+psycopg:///x?host=/run/x&host=db.example:5432", "sslmode must be verify-full"),
        ("DATABASE_URL", "postgresql+psycopg:///x?host=/run/x,db.example", "sslmode must be verify-full"),
        ("DATABASE_URL", "postgresql+psycopg:///x", "with a host"),
        ("DATABASE_URL", "postgresql+psycopg2://u@127.0.0.1/x", "psycopg"),
        ("DATABASE_URL", "postgresql://server:x/db", "SQLAlchemy URL"),
        ("ACTION_LOG_TABLE_ENDPOINT", "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=c2VjcmV0", "https"),
        ("ACTION_LOG_TABLE_ENDPOINT", "TableEndpoint=http://10.0.0.5/a;AccountName=a;AccountKey=c2VjcmV0", "https"),
        ("TRIAL_DAYS", "0", "must be at least 1"),
        ("TRIAL_USER_LIMIT", "five", "expected a whole number"),
        ("INTERNAL_TENANT_IDS", "x", "GUID"),
        ("MARKETPLACE_API_URL", "http://marketplaceapi.microsoft.com/api", "https://"),
        ("MARKETPLACE_API_URL", "http://127.0.0.1@evil.example/api", "https://"),
        ("MARKETPLACE_API_URL", "https://marketplaceapi.microsoft.com/api?x=1", "https://"),
        ("MARKETPLACE_TENANT_ID", "contoso", "GUID"),
        ("MARKETPLACE_CLIENT_ID", "x", "GUID"),
        ("VENDOR_NAME", "Two\nlines", "one line"),
        ("VENDOR_ADDRESS", "x" * 201, "at most 200"),
        ("VENDOR_CONTACT", "a\u202eb", "one line"),
        ("ACTION_LOG_TABLE_ENDPOINT", "http://account.table.core.windows.net", "https://"),
        ("ACTION_LOG_TABLE_ENDPOINT", "https://account.table.core.windows.net/actions?sig=x", "https://"),
    ],
)
def test_a_wrong_setting_is_named_with_the_expected_value(name, value, message):
    with pytest.raises(SettingsError, match=message) as caught:
        Settings.from_env({**SAMPLE, name: value})

    assert f"{name}: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql+psycopg://u@db.example/x?sslmode=verify-full&sslrootcert=system"),
        ("DATABASE_URL", "postgresql+psycopg:///x?host=a.example:5432&host=b.example&sslmode=verify-full"),
        ("DATABASE_URL", "postgresql+psycopg://u@127.0.0.1:5432/x"),
        ("DATABASE_URL", "postgresql+psycopg://u@[::1]:5432/x"),
        ("DATABASE_URL", "postgresql+psycopg://u@/x?host=/var/run/postgresql"),
        ("DATABASE_URL", "postgresql+psycopg:///x?host=localhost:5432"),
        ("ACTION_LOG_TABLE_ENDPOINT", "TableEndpoint=http://127.0.0.1:10002/a;AccountName=a;AccountKey=c2VjcmV0"),
        ("ENTRA_AUTHORITY", "http://[::1]:7072"),
    ],
)
def test_an_encrypted_or_local_connection_is_accepted(name, value):
    assert Settings.from_env({**SAMPLE, name: value})


def test_the_error_for_a_wrong_database_url_has_no_password():
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({**SAMPLE, "DATABASE_URL": "postgresql+psycopg://u:hunter2@db.example/x"})

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["postgresql+psycopg://u@db.example/x", "postgresql+psycopg://u@db/x?sslmode=prefer"])
def test_no_engine_is_created_for_an_unencrypted_connection(url):
    """Migrations and operators' commands make theirs without the other settings."""
    with pytest.raises(ValueError, match="verify-full"):
        make_engine(url)


@pytest.mark.parametrize("name", ["ENTRA_API_CLIENT_ID", "ENTRA_CLIENT_IDS"])
def test_a_missing_setting_is_named(name):
    with pytest.raises(SettingsError, match=f"{name}: is missing"):
        Settings.from_env({**SAMPLE, name: ""})


def test_all_wrong_settings_are_reported_together():
    with pytest.raises(SettingsError, match=r"TRIAL_DAYS.*TRIAL_USER_LIMIT"):
        Settings.from_env({**SAMPLE, "TRIAL_DAYS": "x", "TRIAL_USER_LIMIT": "y"})


def test_the_keys_follow_the_authority_unless_they_are_named():
    followed = Settings.from_env({**SAMPLE, "ENTRA_KEYS_URL": "", "ENTRA_AUTHORITY": "http://127.0.0.1:9/"})

    assert followed.entra_keys_url == "http://127.0.0.1:9/common/discovery/v2.0/keys"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://TimeTracker.example.com/", "https://timetracker.example.com"),
        ("https://a-1.b--2.example:65535", "https://a-1.b--2.example:65535"),
        ("https://timetracker.example.com:8443", "https://timetracker.example.com:8443"),
        ("http://localhost:7071", "http://localhost:7071"),
        ("http://[::1]:7071", "http://[::1]:7071"),
    ],
)
def test_the_public_address_is_kept_without_a_slash_at_its_end(given, kept):
    assert Settings.from_env({**SAMPLE, "PUBLIC_URL": given}).public_url == kept


@pytest.mark.parametrize("name", ["MARKETPLACE_TENANT_ID", "MARKETPLACE_CLIENT_ID"])
def test_incomplete_marketplace_settings_are_refused(name):
    with pytest.raises(SettingsError, match="MARKETPLACE_TENANT_ID and MARKETPLACE_CLIENT_ID: set both"):
        Settings.from_env({**SAMPLE, name: ""})


@pytest.mark.parametrize("name", ["LANDING_CLIENT_ID", "LANDING_CLIENT_SECRET"])
def test_incomplete_landing_page_settings_are_refused(name):
    with pytest.raises(SettingsError, match="LANDING_CLIENT_ID and LANDING_CLIENT_SECRET: set both"):
        Settings.from_env({**SAMPLE, name: ""})


def test_the_landing_page_needs_the_marketplace_and_a_client_and_never_shows_its_secret():
    names = [name for name in SAMPLE if name.startswith("LANDING_")]
    off = Settings.from_env({name: value for name, value in SAMPLE.items() if name not in names})
    on = Settings.from_env(SAMPLE)

    assert (off.landing_page_is_on, on.landing_page_is_on) == (False, True)
    assert SAMPLE["LANDING_CLIENT_SECRET"] not in repr(on)


@pytest.mark.parametrize("name", ["VENDOR_NAME", "VENDOR_ADDRESS", "VENDOR_CONTACT"])
def test_marketplace_settings_need_the_vendor_settings(name):
    selling = {**SAMPLE, "MARKETPLACE_API_URL": "https://marketplaceapi.microsoft.com/api"}

    assert Settings.from_env(selling).vendor_name == SAMPLE["VENDOR_NAME"]
    with pytest.raises(SettingsError, match="VENDOR_NAME, VENDOR_ADDRESS and VENDOR_CONTACT: set all three"):
        Settings.from_env({**selling, name: " "})


def test_a_development_run_needs_no_vendor():
    names = [name for name in SAMPLE if name.startswith("VENDOR_")]
    settings = Settings.from_env({name: value for name, value in SAMPLE.items() if name not in names})

    assert (settings.vendor_name, settings.vendor_address) == ("TimeTracker (development)", "")


def test_without_its_names_the_marketplace_is_off_and_its_secret_is_never_shown():
    names = [name for name in SAMPLE if name.startswith("MARKETPLACE_")]
    off = Settings.from_env({name: value for name, value in SAMPLE.items() if name not in names})
    on = Settings.from_env(SAMPLE)

    assert (off.marketplace_is_on, on.marketplace_is_on) == (False, True)
    assert off.marketplace_api_url == "https://marketplaceapi.microsoft.com/api"
    assert SAMPLE["MARKETPLACE_CLIENT_SECRET"] not in repr(on)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://account.table.core.windows.net",
        "UseDevelopmentStorage=true",
        "DefaultEndpointsProtocol=https;AccountName=account;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net",
    ],
)
def test_table_storage_is_named_by_endpoint_or_connection_string_and_never_shown(endpoint):
    settings = Settings.from_env({**SAMPLE, "ACTION_LOG_TABLE_ENDPOINT": endpoint})

    assert settings.action_log_table_endpoint == endpoint
    assert endpoint not in repr(settings)
