"""The values of the form, without a database."""

import pytest

from webhooks.landing.schemas import Confirmation, parse_choices
from webhooks.landing.service import Choices


def parse(organization):
    return parse_choices(Confirmation(time_zone="Europe/Berlin", organization=organization))


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Xylem", "Xylem"),
        ("https://dev.azure.com/Xylem/Web", "Xylem"),
        ("https://DEV.azure.com/NetX/", "NetX"),
        ("https://Contoso.VisualStudio.com/Web", "contoso"),
    ],
)
def test_an_organization_is_found_in_its_address_with_its_spelling(written, name):
    assert parse(written) == Choices("Europe/Berlin", name)


@pytest.mark.parametrize("written", ["", "//", "[", "dev.azure.com", "contoso/Web", "ada@contoso", "contoso:443"])
def test_a_text_that_only_contains_a_name_is_rejected(written):
    assert list(parse(written)) == ["organization"]
