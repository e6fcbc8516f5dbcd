"""The settings of the app: read once from the environment, frozen, refused in a clear sentence when wrong."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

import sqlalchemy as sa
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from shared.db import azure_sql, postgresql


GUID = re.compile(r"\A[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z")
PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
PUBLIC_MARKETPLACE = "https://marketplaceapi.microsoft.com/api"
AZURE_DEVOPS = "https://dev.azure.com"
_LONGEST_LINE = 200
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*"  # its labels, as RFC 1123 has them
_PORT = r"(?::(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]))?"  # 1 to 65535

_LOOPBACK = r"http://(?:127\.0\.0\.1|localhost|\[::1\])"


_EXPECTED: Final = {
    "int_parsing": "expected a whole number",
    "float_parsing": "expected a number",
    "bool_parsing": "expected true or false",
    "missing": "is missing",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
}


class SettingsError(Exception):
    """A setting is missing or wrong; the text names it and says what was expected."""


def _guid(value: str) -> str:
    if not GUID.match(value.lower()):
        raise ValueError("expected a GUID, like 6e74172b-be56-4843-9ff4-e66a39bb12e3")
    return value.lower()


def _commas(value: Any) -> Any:  # noqa: ANN401 - whatever pydantic is handed before it validates
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _private_url(value: str) -> str:
    """A secret goes there, or keys come from there, so plain http is for this machine only."""
    if not re.match(rf"\A(?:https://{_HOST}|{_LOOPBACK}){_PORT}(?:/[^\s?#]*)?\Z", value):
        raise ValueError("expected a URL that starts with https:// (or http://127.0.0.1 for a local emulator)")
    return value.rstrip("/")


def _azure_devops(value: str) -> str:
    """People's tokens go there, so nothing but this machine is reached without TLS, and no host hides in the URL."""
    if not re.match(rf"\A(?:https://{_HOST}|{_LOOPBACK}){_PORT}/?\Z", value):
        raise ValueError("expected https://dev.azure.com (or http://127.0.0.1:<port> for a local emulator)")
    return value.rstrip("/")


def _public_url(value: str) -> str:
    """Links are made of it and sign-ins come back to it, so nothing but this machine is reached without TLS."""
    if not re.match(rf"\A(?:https://{_HOST}|{_LOOPBACK}){_PORT}/?\Z", value):
        raise ValueError("expected https:// and a host, without a path, like https://timetracker.example.com")
    return value.rstrip("/").lower()


def _origin(value: str) -> str:
    """A page that came over an open line may be anybody's, and answers go to it."""
    if not re.match(rf"\A(?:https://{_HOST}|{_LOOPBACK}){_PORT}\Z", value):
        raise ValueError("expected exact origins like https://dev.azure.com, without path or wildcard")
    return value


def _table_endpoint(value: str) -> str:
    if not re.match(
        r"\Ahttps://[^\s/]+/?\Z|\AUseDevelopmentStorage=true\Z|(?s:.*)\b(?:AccountKey|TableEndpoint)=", value
    ):
        raise ValueError("expected https://<account>.table.core.windows.net, or a storage account's connection string")
    if not value.startswith("https://"):
        _require_tls_of_tables(value)
    return value


def _require_tls_of_tables(connection_string: str) -> None:
    parts = (part.strip().partition("=") for part in connection_string.split(";"))
    given = {name.lower(): value for name, _, value in parts}
    endpoints = [given[name] for name in ("tableendpoint", "tablesecondaryendpoint") if name in given]
    is_open = not endpoints and given.get("defaultendpointsprotocol", "https").lower() != "https"
    if is_open or not all(re.match(rf"\A(?:https://{_HOST}|{_LOOPBACK}){_PORT}(?:/|\Z)", each) for each in endpoints):
        raise ValueError("expected a connection string with https (or http://127.0.0.1 for a local emulator)")


def _dimension(value: str) -> str:
    if not re.match(r"\A[A-Za-z0-9_-]{1,64}\Z", value):
        raise ValueError("expected the id of a dimension: at most 64 letters, digits, _ and -, like active_user")
    return value


def _printable(value: str) -> str:
    """One printable line, for documents."""
    if len(value) > _LONGEST_LINE or not value.isprintable():
        raise ValueError(f"expected one line of at most {_LONGEST_LINE} characters")
    return value.strip()


def _offer(value: str) -> str:
    if not re.match(r"\A[A-Za-z0-9_-]{1,100}(?:/[A-Za-z0-9_-]{1,100})?\Z", value):
        raise ValueError("expected offers like timetracker, or plans of them like timetracker/paid, comma separated")
    return value.lower()


def _database_url(value: str) -> str:
    """Servers need an encrypted connection; whether a URL works is found out at its first use."""
    for kind, check in (("mssql", azure_sql.check_url), ("postgresql", postgresql.check_url)):
        if value.startswith(kind):
            try:
                parsed = sa.make_url(value)
            except (sa.exc.ArgumentError, ValueError):
                raise ValueError("expected an SQLAlchemy URL") from None
            check(parsed)
    return value


Guid = Annotated[str, BeforeValidator(_guid)]
PrivateUrl = Annotated[str, BeforeValidator(_private_url)]
TableEndpoint = Annotated[str, BeforeValidator(_table_endpoint)]
AzureDevOpsUrl = Annotated[str, BeforeValidator(_azure_devops)]
PublicUrl = Annotated[str, BeforeValidator(_public_url)]
Origins = Annotated[frozenset[Annotated[str, BeforeValidator(_origin)]], BeforeValidator(_commas)]
Dimension = Annotated[str, BeforeValidator(_dimension)]
Line = Annotated[str, BeforeValidator(_printable)]
Offers = Annotated[frozenset[Annotated[str, BeforeValidator(_offer)]], BeforeValidator(_commas)]
Guids = Annotated[frozenset[Guid], BeforeValidator(_commas)]


class Settings(BaseModel):
    """One field per setting; the alias is the name of the environment variable."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: Annotated[str, BeforeValidator(_database_url)] = Field(
        "sqlite:///.data/timetracker.db", alias="DATABASE_URL", description="SQLAlchemy URL of the database"
    )
    entra_authority: PrivateUrl = Field(PUBLIC_AUTHORITY, alias="ENTRA_AUTHORITY", description="issuer of the tokens")
    entra_api_client_id: Guid = Field(
        alias="ENTRA_API_CLIENT_ID", description="client id of our API: the audience of every token"
    )
    entra_client_ids: Guids = Field(
        alias="ENTRA_CLIENT_IDS", description="client ids of accepted tokens (`azp`), comma separated"
    )
    entra_keys_url: PrivateUrl = Field(
        "",
        alias="ENTRA_KEYS_URL",
        description="address of the signing keys; default: the authority's",
    )
    public_url: PublicUrl = Field(
        "",
        alias="PUBLIC_URL",
        description="public address of the app; default: only this machine's own names are accepted",
    )
    cors_allowed_origins: Origins = Field(
        frozenset(),
        alias="CORS_ALLOWED_ORIGINS",
        description="exact origins of the extension",
    )
    azure_devops_url: AzureDevOpsUrl = Field(
        AZURE_DEVOPS,
        alias="AZURE_DEVOPS_URL",
        description="address of Azure DevOps; people's tokens are sent to no other",
    )
    action_log_table_endpoint: TableEndpoint = Field(
        "",
        alias="ACTION_LOG_TABLE_ENDPOINT",
        description="Table Storage of the action log, and of the mark that detects a restored database; "
        "when unset the database keeps the log, and no restore is noticed",
        repr=False,
    )
    marketplace_api_url: PrivateUrl = Field(
        PUBLIC_MARKETPLACE, alias="MARKETPLACE_API_URL", description="base address of the Marketplace's API"
    )
    marketplace_tenant_id: Guid = Field(
        "", alias="MARKETPLACE_TENANT_ID", description="the vendor's directory, as in Partner Center"
    )
    marketplace_client_id: Guid = Field(
        "",
        alias="MARKETPLACE_CLIENT_ID",
        description="client id of the app that calls the Marketplace; without it the Marketplace is off",
    )
    marketplace_client_secret: str = Field(
        "",
        alias="MARKETPLACE_CLIENT_SECRET",
        description="that app's secret; a managed identity of that client id when unset",
        repr=False,
    )
    marketplace_metering_dimension: Dimension = Field(
        "",
        alias="MARKETPLACE_METERING_DIMENSION",
        description="metered dimension of a flat-rate plan; without it no usage is reported",
    )
    marketplace_offers: Offers = Field(
        frozenset(),
        alias="MARKETPLACE_OFFERS",
        description="offers of this product, comma separated: an offer with all its plans, or offer/plan; default: all "
        "offers of the publisher",
    )
    landing_client_id: Guid = Field(
        "",
        alias="LANDING_CLIENT_ID",
        description="client id of the landing page's app; without it the landing page is off",
    )
    landing_client_secret: str = Field("", alias="LANDING_CLIENT_SECRET", description="that app's secret", repr=False)
    vendor_name: Line = Field(
        "TimeTracker (development)",
        alias="VENDOR_NAME",
        description="name of the vendor, on usage statements",
    )
    vendor_address: Line = Field("", alias="VENDOR_ADDRESS", description="postal address of the vendor, in one line")
    vendor_contact: Line = Field(
        "", alias="VENDOR_CONTACT", description="contact for customers, on usage statements and the landing page"
    )
    internal_tenant_ids: Guids = Field(
        frozenset(), alias="INTERNAL_TENANT_IDS", description="the vendor's own directories, comma separated"
    )
    trial_days: Annotated[int, Field(ge=1, le=366)] = Field(
        30, alias="TRIAL_DAYS", description="length of a trial, in days of 24 hours"
    )
    trial_user_limit: Annotated[int, Field(ge=1, le=10_000)] = Field(
        5, alias="TRIAL_USER_LIMIT", description="limit of active accounts in a trial"
    )
    month_close_schedule: Annotated[str, Field(min_length=9)] = Field(
        "0 5 * * * *",
        alias="MONTH_CLOSE_SCHEDULE",
        description="schedule for closing ended months (NCRONTAB, UTC)",
    )
    trial_expiry_schedule: Annotated[str, Field(min_length=9)] = Field(
        "0 20 * * * *",
        alias="TRIAL_EXPIRY_SCHEDULE",
        description="schedule for expiring trials (NCRONTAB, UTC)",
    )
    forgotten_timer_schedule: Annotated[str, Field(min_length=9)] = Field(
        "0 */5 * * * *",
        alias="FORGOTTEN_TIMER_SCHEDULE",
        description="schedule for stopping forgotten timers (NCRONTAB, UTC)",
    )
    usage_schedule: Annotated[str, Field(min_length=9)] = Field(
        "0 15 * * * *",
        alias="USAGE_SCHEDULE",
        description="schedule for reporting usage to the Marketplace (NCRONTAB, UTC)",
    )
    retention_schedule: Annotated[str, Field(min_length=9)] = Field(
        "0 10 * * * *",
        alias="RETENTION_SCHEDULE",
        description="schedule for removing expired data (NCRONTAB, UTC)",
    )

    @model_validator(mode="before")
    @classmethod
    def _keys_follow_the_authority(cls, values: dict[str, Any]) -> dict[str, Any]:
        authority = str(values.get("ENTRA_AUTHORITY", PUBLIC_AUTHORITY)).rstrip("/")
        return {"ENTRA_KEYS_URL": f"{authority}/common/discovery/v2.0/keys", **values}

    @model_validator(mode="after")
    def _marketplace_is_complete(self) -> Self:
        named = (self.marketplace_tenant_id, self.marketplace_client_id)
        if any((*named, self.marketplace_client_secret)) and not all(named):
            raise ValueError("MARKETPLACE_TENANT_ID and MARKETPLACE_CLIENT_ID: set both, or nothing of the Marketplace")
        return self

    @model_validator(mode="after")
    def _landing_page_is_complete(self) -> Self:
        if bool(self.landing_client_id) != bool(self.landing_client_secret):
            raise ValueError("LANDING_CLIENT_ID and LANDING_CLIENT_SECRET: set both, or neither")
        return self

    @model_validator(mode="after")
    def _vendor_is_named(self) -> Self:
        """Usage statements for real customers name their issuer."""
        is_selling = self.landing_page_is_on and self.marketplace_api_url == PUBLIC_MARKETPLACE
        if is_selling and not {"vendor_name", "vendor_address", "vendor_contact"} <= self.model_fields_set:
            raise ValueError("VENDOR_NAME, VENDOR_ADDRESS and VENDOR_CONTACT: set all three to sell in the Marketplace")
        return self

    def is_sold_here(self, offer_id: str, plan_id: str) -> bool:
        """Whether a plan of the publisher belongs to this product; also true without an offer."""
        if not self.marketplace_offers or not offer_id:
            return True
        offer = offer_id.lower()
        return not {offer, f"{offer}/{plan_id.lower()}"}.isdisjoint(self.marketplace_offers)

    @property
    def landing_page_is_on(self) -> bool:
        """A purchase can be resolved, and its buyer can sign in."""
        return self.marketplace_is_on and bool(self.landing_client_id)

    @property
    def entra_v1_keys_url(self) -> str:
        """Where the keys of tokens in the old form are; Entra publishes them beside the others."""
        return self.entra_keys_url.replace("/discovery/v2.0/keys", "/discovery/keys")

    @property
    def marketplace_is_on(self) -> bool:
        return bool(self.marketplace_client_id)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """Reads the settings; an empty variable counts as unset.

        Raises:
            SettingsError: names every setting that is missing or wrong and says what was expected.
        """
        names = {field.alias for field in cls.model_fields.values()}
        given = {name: value for name, value in environment.items() if name in names and value.strip()}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            problems = "; ".join(
                ": ".join([*map(str, item["loc"][:1]), describe_problem(item)]) for item in error.errors()
            )
            raise SettingsError(f"wrong settings: {problems}") from error


def describe_problem(problem: ErrorDetails) -> str:
    """A validator's finding in words for a person at a terminal."""
    if (expected := _EXPECTED.get(problem["type"])) is not None:
        return expected.format(**problem.get("ctx", {}))
    return problem["msg"].removeprefix("Value error, ")
