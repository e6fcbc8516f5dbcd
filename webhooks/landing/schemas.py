"""Queries and forms of the landing page."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from shared.http.wire import WireModel
from tenants import TimeZone
from timers import Organization
from webhooks.landing.service import Choices


FormErrors: TypeAlias = Mapping[str, str]  # texts by the field's name in the form
_SHORT: Final = 200
_AZURE_DEVOPS: Final = "dev.azure.com"
_OLD_AZURE_DEVOPS: Final = ".visualstudio.com"


class _FromMicrosoft(WireModel):
    """Microsoft adds parameters, so unknown ones are ignored."""

    model_config = ConfigDict(extra="ignore")


class Arrival(_FromMicrosoft):
    """Texts have no maximum length here and below: one that is too long is an unknown purchase or visit."""

    token: Annotated[str, Field(description="the purchase token, URL-encoded; at most 4,000 characters")] = ""
    directory: Annotated[str, Field(description="where to sign in; from our own page only")] = ""
    proof: Annotated[str, Field(description="proves that the directory comes from our own page")] = ""


class Return(_FromMicrosoft):
    """The names are those of Entra."""

    state: str = ""
    code: str | None = None
    error: str = ""


class PurchasePage(_FromMicrosoft):
    visit: str = ""


class PageForm(WireModel):
    """A form with a button only."""

    visit: Annotated[str, Field(max_length=_SHORT)] = ""
    form: Annotated[str, Field(max_length=_SHORT, description="proves that the form comes from the page")] = ""


class Confirmation(PageForm):
    """The form of a confirmation. The page itself shows its errors.

    Time zone and organization are for a new directory; an existing tenant keeps its settings.
    """

    time_zone: Annotated[str, Field(max_length=_SHORT, description="an IANA time zone")] = ""
    organization: Annotated[str, Field(max_length=_SHORT, description="the Azure DevOps organization")] = ""
    end_agreement: Annotated[
        Literal["", "yes"], Field(description="`yes` ends the agreement with the vendor once the purchase is active")
    ] = ""
    decision: Annotated[
        Literal["", "agree", "decline"], Field(description="`decline` refuses a purchase that waits for agreement")
    ] = ""


def _organization_name(value: Any) -> Any:  # noqa: ANN401 - pydantic passes the value before validation
    """The organization's name; also from an address that people copy from their browser."""
    text = str(value).strip()
    parts = urlsplit(text if "//" in text else f"//{text}")
    host = (parts.hostname or "").lower()
    if host == _AZURE_DEVOPS:
        return parts.path.strip("/").partition("/")[0]
    return host.removesuffix(_OLD_AZURE_DEVOPS) if host.endswith(_OLD_AZURE_DEVOPS) else text


class _ValidChoices(WireModel):
    time_zone: TimeZone
    organization: Annotated[Organization, BeforeValidator(_organization_name)]


_ERRORS: Final = {
    "organization": "Enter the name of your Azure DevOps organization: up to 50 letters, digits and hyphens.",
    "timeZone": "Choose a time zone from the list.",
}


def parse_choices(form: Confirmation) -> Choices | FormErrors:
    """The choices, or the errors of the fields in their order on the page."""
    try:
        choices = _ValidChoices.model_validate({"timeZone": form.time_zone, "organization": form.organization})
    except ValidationError as error:
        wrong = {name for item in error.errors() for name in item["loc"]}
        return {name: text for name, text in _ERRORS.items() if name in wrong}
    return Choices(choices.time_zone, choices.organization)
