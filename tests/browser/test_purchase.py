"""A purchase in a real browser, through all its states."""

import pytest
import requests
from playwright.sync_api import Page, ViewportSize, expect

from devcloud.emulators.entra.clients import EXTENSION, TIMETRACKER_API
from tests.browser.conftest import Cloud
from tests.devcloud.processes import ROOT, wait_for


SHOTS = ROOT / "build" / "screenshots"
DESKTOP, PHONE = ViewportSize(width=1100, height=800), ViewportSize(width=390, height=844)
ACTIVE = "Your subscription is active"


@pytest.fixture
def page(chromium):
    """A page without scripts; it may only send requests to the local cloud."""
    context = chromium.new_context(java_script_enabled=False, viewport=DESKTOP, color_scheme="light")
    page, asked, complaints = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    yield page
    context.close()
    assert [url for url in asked if not url.startswith("http://127.0.0.1:")] == []
    assert [text for text in complaints if "the server responded with a status of 40" not in text] == []


def shoot(page: Page, name: str) -> None:
    """Keeps how the page looks: light and dark, on a desk and on a phone."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    for size, viewport in (("", DESKTOP), ("-phone", PHONE)):
        page.set_viewport_size(viewport)
        for colors in ("light", "dark"):
            page.emulate_media(color_scheme=colors)
            page.screenshot(path=SHOTS / f"{name}{size}-{colors}.png", full_page=True)
    page.set_viewport_size(DESKTOP)
    page.emulate_media(color_scheme="light")


def sign_in(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def cookies(page: Page) -> set[str]:
    return {each.get("name", "") for each in page.context.cookies()}


def tenant(cloud: Cloud, person: str) -> dict[str, object]:
    """The product's data of an organization."""
    form = {
        "grant_type": "password",
        "client_id": EXTENSION.id,
        "username": person,
        "password": "any",
        "scope": f"api://{TIMETRACKER_API.id}/access_as_user",
    }
    token = requests.post(f"{cloud.entra}/common/oauth2/v2.0/token", data=form, timeout=10).json()["access_token"]
    answer = requests.get(f"{cloud.api}/tenant", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert answer.ok, answer.text
    document: dict[str, object] = answer.json()
    return document


def becomes(cloud: Cloud, person: str, **wanted: object) -> None:
    wait_for(lambda: wanted.items() <= tenant(cloud, person).items(), seconds=30)
    assert wanted.items() <= tenant(cloud, person).items()


def order(page: Page, cloud: Cloud, button: str) -> None:
    """Presses a button of the newest purchase in the shop."""
    page.goto(cloud.shop)
    page.get_by_role("button", name=button, exact=True).first.click()
    expect(page.get_by_role("alert")).to_have_count(0)


def manage(page: Page, cloud: Cloud, heading: str) -> None:
    order(page, cloud, "Manage account")
    sign_in(page, "Nora Winter")
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def test_a_purchase_from_the_shop_to_its_end(page, cloud):
    page.goto(cloud.shop)
    page.get_by_label("Buyer").select_option("nora")
    page.get_by_label("Plan").first.select_option("seats")
    page.get_by_label("Seats (plans per seat)").fill("5")
    page.get_by_role("button", name="Buy and set up").click()
    sign_in(page, "Nora Winter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up TimeTracker")
    shoot(page, "1-set-up")

    page.get_by_label("Azure DevOps organization").fill("northwind")
    page.get_by_label("Time zone").select_option("Europe/Oslo")
    page.get_by_role("button", name="Confirm and activate").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(ACTIVE)
    expect(page.get_by_text("1 of 5")).to_be_visible()
    shoot(page, "2-active")
    becomes(cloud, "nora", plan="paid", status="active", seatLimit=5, timeZone="Europe/Oslo")

    page.goto(cloud.shop)
    page.get_by_label("Seats", exact=True).fill("8")
    page.get_by_role("button", name="Change seats").first.click()
    becomes(cloud, "nora", seatLimit=8)
    wait_for(lambda: "8 seats" in requests.get(cloud.shop, timeout=10).text, seconds=30)
    manage(page, cloud, ACTIVE)
    expect(page.get_by_text("1 of 8")).to_be_visible()
    shoot(page, "3-more-seats")

    order(page, cloud, "Suspend")
    becomes(cloud, "nora", status="suspended")
    manage(page, cloud, "Your subscription is suspended")
    shoot(page, "4-suspended")

    order(page, cloud, "Reinstate")
    becomes(cloud, "nora", status="active")
    manage(page, cloud, ACTIVE)

    order(page, cloud, "Unsubscribe")
    becomes(cloud, "nora", status="cancelled")
    manage(page, cloud, "This subscription has ended")
    shoot(page, "5-ended")


def other_account(page: Page, name: str) -> None:
    page.get_by_role("link", name="Use another account").click()
    sign_in(page, name)


def test_a_stranger_is_turned_away_and_a_colleague_s_purchase_waits_for_a_super_admin(page, cloud):
    page.goto(cloud.shop)
    page.get_by_label("Buyer").select_option("ben")
    page.get_by_label("Plan").first.select_option("paid")
    page.get_by_role("button", name="Buy and set up").click()
    sign_in(page, "Bob Fabri")
    expect(page.get_by_role("alert")).to_contain_text("belongs to another organization")
    shoot(page, "6-stranger")

    page.get_by_role("link", name="Try again").click()
    sign_in(page, "Ben Okafor")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ask for agreement to your purchase")
    shoot(page, "7-ask")
    page.get_by_role("button", name="Ask for agreement").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your purchase waits for agreement")
    shoot(page, "8-waits")
    assert tenant(cloud, "ada")["plan"] == "trial"

    other_account(page, "Ada Lovelace")
    expect(page.get_by_role("heading", level=1)).to_have_text("Agree to a purchase of TimeTracker")
    expect(page.get_by_label("Azure DevOps organization")).to_have_count(0)
    shoot(page, "9-agree")
    page.get_by_role("button", name="Decline").click()
    expect(page.get_by_text("was declined before")).to_be_visible()
    other_account(page, "Ben Okafor")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your purchase was declined")
    shoot(page, "10-declined")

    other_account(page, "Ada Lovelace")
    page.get_by_role("button", name="Agree and activate").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(ACTIVE)
    becomes(cloud, "ada", plan="paid", status="active")

    cookie = f"timetracker_landing-{page.url.partition('visit=')[2].replace('-', '')}"
    assert cookie in cookies(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    assert cookie not in cookies(page)
    shoot(page, "11-signed-out")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("This page is closed")

    order(page, cloud, "Unsubscribe")
    becomes(cloud, "ada", plan="trial", status="active")
