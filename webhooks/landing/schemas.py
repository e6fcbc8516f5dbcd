"""What the browser sends to the landing page. Microsoft adds parameters of its own, so unknown ones are left alone."""

from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from shared.http.wire import WireModel
from tenants.time_zones import TimeZone
from timers.schemas import Organization
from webhooks.landing.service import Choices


_SHORT: Final = 200
_AZURE_DEVOPS: Final = "dev.azure.com"
_OLD_AZURE_DEVOPS: Final = ".visualstudio.com"


class _FromMicrosoft(WireModel):
    model_config = ConfigDict(extra="ignore")


class Arrival(_FromMicrosoft):
    """What is too long, here and below, is no purchase and no visit, and that is what its sender is told."""

    token: Annotated[str, Field(description="the purchase token, URL-encoded; at most 4,000 characters")] = ""
    directory: Annotated[str, Field(description="where to sign in; from our own page only")] = ""
    proof: Annotated[str, Field(description="proves that the directory comes from our own page")] = ""


class Return(_FromMicrosoft):
    """`snake_case`, as Entra spells it."""

    state: str = ""
    code: str | None = None
    error: str = ""


class PurchasePage(_FromMicrosoft):
    visit: str = ""


class PageForm(WireModel):
    """A button of the page, which has no fields but these."""

    visit: Annotated[str, Field(max_length=_SHORT)] = ""
    form: Annotated[str, Field(max_length=_SHORT, description="proves that the form comes from the page")] = ""


class Confirmation(PageForm):
    """The form as it was filled in; what is wrong with it is said on the page itself.

    Time zone and organization are those of a new directory; the settings of one that has TimeTracker stay.
    """

    time_zone: Annotated[str, Field(max_length=_SHORT, description="an IANA time zone")] = ""
    organization: Annotated[str, Field(max_length=_SHORT, description="the Azure DevOps organization")] = ""
    end_agreement: Annotated[
        Literal["", "yes"], Field(description="`yes` ends the agreement with the vendor once the purchase is active")
    ] = ""
    decision: Annotated[
        Literal["", "agree", "decline"], Field(description="`decline` refuses a purchase that waits for agreement")
    ] = ""


def _name_in(value: Any) -> Any:  # noqa: ANN401 - whatever pydantic is handed before it validates
    """The organization's name, also out of the address that people copy from their browser."""
    text = str(value).strip()
    parts = urlsplit(text if "//" in text else f"//{text}")
    host = (parts.hostname or "").lower()
    if host == _AZURE_DEVOPS:
        return parts.path.strip("/").partition("/")[0]
    return host.removesuffix(_OLD_AZURE_DEVOPS) if host.endswith(_OLD_AZURE_DEVOPS) else text


class _Chosen(WireModel):
    time_zone: TimeZone
    organization: Annotated[Organization, BeforeValidator(_name_in)]


_WORDS: Final = {
    "time_zone": "Choose a time zone from the list.",
    "organization": "Enter the name of your Azure DevOps organization: letters, digits and hyphens inside, up to 50.",
}


def choices_of(given: Confirmation) -> Choices | dict[str, str]:
    """What was chosen, or what to say of each field that makes no sense."""
    try:
        chosen = _Chosen(time_zone=given.time_zone, organization=given.organization)
    except ValidationError as error:
        return {name: _WORDS[name] for name in _WORDS if any(name in item["loc"] for item in error.errors())}
    return Choices(chosen.time_zone, chosen.organization)
