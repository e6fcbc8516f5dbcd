"""The form by which a purchase is confirmed: organization and time zone, with what is wrong beside each."""

from collections.abc import Iterator
from functools import cache
from itertools import groupby
from typing import Final

from tenants.time_zones import zones
from webhooks.landing.pages.agreement import ACTION, END_AGREEMENT
from webhooks.landing.pages.html import Html, element, joined
from webhooks.landing.schemas import Confirmation
from webhooks.landing.visit_store import Visit


_ORGANIZATION: Final = "organization"
_TIME_ZONE: Final = "timeZone"
# Their ids on the page.
FIELDS: Final = {"organization": _ORGANIZATION, "time_zone": _TIME_ZONE, "end_agreement": END_AGREEMENT}
_PATTERN: Final = (
    r"\s*(https?://)?(dev\.azure\.com/)?[A-Za-z0-9]([A-Za-z0-9\-]{0,48}[A-Za-z0-9])?(\.visualstudio\.com)?(/.*)?\s*"
)


def set_up_form(visit: Visit, form_token: str, filled: Confirmation | None, wrong: dict[str, str]) -> Html:
    """For the first buyer of a directory; what was filled in before stands in it."""
    zone, organization = "", ""
    if filled is not None:
        zone, organization = filled.time_zone, filled.organization
    return element(
        "form",
        element("input", type="hidden", name="visit", value=str(visit.public_id)),
        element("input", type="hidden", name="form", value=form_token),
        *_organization(organization, wrong.get("organization")),
        *_time_zone(zone, wrong.get("time_zone"), is_first="organization" not in wrong),
        element("button", "Confirm and activate", type="submit"),
        element("p", "Microsoft charges you by the terms of the Azure Marketplace, and adds taxes.", class_="fine"),
        method="post",
        action=ACTION,
    )


def _organization(value: str, wrong: str | None) -> Iterator[Html]:
    field = element(
        "input",
        id=_ORGANIZATION,
        name=_ORGANIZATION,
        value=value,
        required=True,
        maxlength="200",
        pattern=_PATTERN,
        title="The name of your organization in Azure DevOps, or its address",
        autocapitalize="none",
        autocomplete="organization",
        spellcheck="false",
        **_described(_ORGANIZATION, wrong, is_first=True),
    )
    hint = "Its name in Azure DevOps: in https://dev.azure.com/contoso it is contoso."
    yield from _labelled(_ORGANIZATION, "Azure DevOps organization", hint, field, wrong)


def _time_zone(value: str, wrong: str | None, *, is_first: bool) -> Iterator[Html]:
    first = element("option", "Choose your time zone", value="", selected=value not in zones())
    field = element(
        "select",
        first,
        *_groups(value),
        id=_TIME_ZONE,
        name=_TIME_ZONE,
        required=True,
        **_described(_TIME_ZONE, wrong, is_first=is_first),
    )
    hint = "Days and months of your reports and bills begin at midnight there. It can be changed later."
    yield from _labelled(_TIME_ZONE, "Time zone", hint, field, wrong)


def _labelled(name: str, label: str, hint: str, field: Html, wrong: str | None) -> Iterator[Html]:
    yield element("label", label, for_=name)
    yield element("p", hint, id=f"{name}-hint", class_="hint")
    yield field
    if wrong is not None:
        yield element("p", wrong, id=f"{name}-wrong", class_="wrong")


def _described(name: str, wrong: str | None, *, is_first: bool) -> dict[str, str | bool | None]:
    """The first field that is wrong has the focus."""
    if wrong is None:
        return {"aria_describedby": f"{name}-hint"}
    return {"aria_describedby": f"{name}-wrong {name}-hint", "aria_invalid": "true", "autofocus": is_first}


def _groups(chosen: str) -> Iterator[Html]:
    """By region, as the names have it; the words of the places, in English."""
    for region, names in groupby(_names(), key=lambda name: name.partition("/")[0]):
        options = [element("option", _spoken(name), value=name, selected=name == chosen) for name in names]
        yield joined(*options) if region == "UTC" else element("optgroup", *options, label=region)


@cache
def _names() -> list[str]:
    return ["UTC", *sorted(zones() - {"UTC"})]


def _spoken(name: str) -> str:
    return name.partition("/")[2].replace("_", " ").replace("/", ", ") or name
