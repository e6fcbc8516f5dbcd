"""The pages are complete and accessible documents, without scripts or foreign content."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from jinja2 import UndefinedError

from tests.support.landing import LANDING, buy
from webhooks.landing.pages.document import Contact
from webhooks.landing.pages.rendering import FOLDER, STYLE, render, with_links
from webhooks.landing.rules import PageState


pytestmark = pytest.mark.http_only
VOID = {"input", "link", "meta"}


class Nesting(HTMLParser):
    """Collects elements that are not closed, or in the wrong order."""

    def __init__(self, html) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(html)
        self.wrong += self.open

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        self.wrong += [name for name in names if names.count(name) > 1 or name.startswith("on") or name == "style"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.fixture
def pages(marketplace, browser, firm):
    """One of each kind: set up, with wrong fields, active, refused."""
    _, token = buy(marketplace, firm)
    shown = browser.open(token, firm.buyer)
    wrong = browser.submit(shown, organization="?")
    return [shown, wrong, browser.submit(shown), browser.get(LANDING)]


def test_every_page_is_a_whole_document_in_english(pages):
    for page in pages:
        tags = [tag for tag, _ in page.elements]

        assert page.html.startswith('<!doctype html>\n<html lang="en">')
        assert Nesting(page.html).wrong == []
        assert page.title.endswith(" · TimeTracker for Azure DevOps")
        assert [tags.count(each) for each in ("title", "h1", "main", "header")] == [1, 1, 1, 1]
        assert not {"script", "img", "iframe", "link", "object"} & set(tags)


def test_every_field_has_a_label_and_every_description_is_there(pages):
    for page in pages:
        ids = [given["id"] for _, given in page.elements if "id" in given]
        labeled = {given["for"] for tag, given in page.elements if tag == "label"}
        fields = [given for tag, given in page.elements if tag in {"input", "select"} and given.get("type") != "hidden"]

        assert len(ids) == len(set(ids))
        assert {given["id"] for given in fields} == labeled
        for given in fields:
            assert set(given["aria-describedby"].split()) <= set(ids)


def test_a_wrong_field_is_marked_for_screen_readers(pages):
    [field] = [given for _, given in pages[1].elements if "aria-invalid" in given]

    assert (field["id"], field["aria-invalid"]) == ("organization", "true")
    assert field["aria-describedby"].startswith("organization-wrong ")


def test_errors_are_listed_first_with_links_and_the_first_wrong_field_has_the_focus(pages):
    shown, wrong = pages[:2]
    [focused] = [given["id"] for _, given in wrong.elements if "autofocus" in given]
    links = [given["href"] for tag, given in wrong.elements if tag == "a" and given["href"].startswith("#")]

    assert wrong.title.startswith("Error: Set up TimeTracker")
    assert not shown.title.startswith("Error")
    assert links == ["#organization"]
    assert focused == "organization"


def test_a_plan_with_seats_has_a_total_and_one_without_says_how_it_is_billed(marketplace, browser, firm):
    by_seats = browser.open(buy(marketplace, firm, plan="seats", quantity=5)[1], firm.buyer)
    metered = browser.open(buy(marketplace, firm)[1], firm.buyer)

    assert "USD 6.00 per seat and month" in by_seats.text
    assert "USD 30.00 a month for 5 seats, plus taxes where they apply" in by_seats.text
    assert "Unlimited (billed per active user)" in metered.text
    assert "Total" not in metered.text


def test_headings_go_down_one_by_one(pages):
    for page in pages:
        levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]

        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_page_loads_nothing_and_runs_no_script(pages):
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    for page in pages:
        policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))

        assert policy == {
            "default-src": "'none'",
            "style-src": f"'sha256-{digest}'",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
            "base-uri": "'none'",
        }
        assert f"<style>{STYLE}</style>" in page.html
        assert not re.search(r"url\(|@import|\bsrc=|http-equiv", page.html)
        assert page.headers["Referrer-Policy"] == "no-referrer"


def test_text_cannot_become_markup():
    html = with_links('<b>"& in the Azure portal')

    assert html == '&lt;b&gt;&#34;&amp; in the <a href="https://portal.azure.com/" rel="noreferrer">Azure portal</a>'


def test_a_name_that_looks_like_markup_is_shown_as_text(marketplace, browser, firm):
    subscription, token = buy(marketplace, firm)
    with marketplace.emulator.operations.updating() as state:
        state.subscriptions[subscription].name = "<script>alert(1)</script>"
    page = browser.open(token, firm.buyer)

    assert "<script>" not in page.html
    assert "<script>alert(1)</script>" in page.text


def test_each_state_has_a_template_and_each_template_a_use():
    used = {path.stem for path in FOLDER.glob("*.html")}
    parts = {"base", "purchase", "parts", "started"}

    assert used == {*PageState, "agree", "error", "signed_out"} | parts


def test_a_value_that_a_template_lacks_is_an_error():
    with pytest.raises(UndefinedError):
        render("signed_out", {"contact": Contact("", "")})


def luminance(color):
    digits = color if len(color) == 6 else "".join(2 * digit for digit in color)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground", "ratio"),
    [
        *((text, ground, 4.5) for text in ("text", "quiet", "go", "bad") for ground in ("card", "page")),
        *(("text", f"{kind}-soft", 4.5) for kind in ("good", "warn", "bad")),
        ("on-go", "go", 4.5),
        ("on-go", "go-over", 4.5),
        ("field", "card", 3),
        *((kind, "card", 3) for kind in ("good", "warn")),
    ],
)
def test_colors_have_enough_contrast(scheme, text, ground, ratio):
    """WCAG 2.2, level AA."""
    light, dark = STYLE.split("@media (prefers-color-scheme: dark)", 1)
    colors = dict(re.findall(r"--([a-z-]+): #([0-9a-f]{3,6})", light if scheme == "light" else dark))
    lighter, darker = sorted((luminance(colors[text]), luminance(colors[ground])), reverse=True)

    assert (lighter + 0.05) / (darker + 0.05) >= ratio
