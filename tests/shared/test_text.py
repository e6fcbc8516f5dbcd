"""Names of projects and organizations that look the same have the same key."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text import has_bidi_controls, key_of, name_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Büro", "Bu\N{COMBINING DIAERESIS}ro"),
        ("Website", "Web\N{ZERO WIDTH SPACE}site"),
        ("Website", "Web\N{SOFT HYPHEN}site"),
        ("Website", "\N{ZERO WIDTH NO-BREAK SPACE}Website\N{VARIATION SELECTOR-16}"),
        ("Website\N{RIGHT-TO-LEFT MARK}", "Website"),
        ("Web site", "Web\N{NO-BREAK SPACE}site"),
        ("Web site", "  Web \N{IDEOGRAPHIC SPACE}site "),
        ("Web site", "Web\N{BRAILLE PATTERN BLANK}site"),
        ("Website", "Website\x7f"),
        ("Website", "Web\x80\x9fsite"),
        ("Website", "\x00Website\x1b"),
        ("Web site", "Web\x85site"),
        ("Straße", "STRASSE"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("\N{ANGSTROM SIGN}", "å"),
    ],
)
def test_names_that_look_the_same_are_one(one, other):
    assert name_key(one, 64) == name_key(other, 64)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Website", "Website 2"),
        ("Web site", "Website"),
        ("Mobile", "M\N{CYRILLIC SMALL LETTER O}bile"),
        ("Buro", "Büro"),
        ("Team\u202egnp", "Teamgnp"),  # an override shows other letters than the name has
    ],
)
def test_other_names_stay_apart(one, other):
    assert name_key(one, 64) != name_key(other, 64)


@given(st.text(max_size=80), st.integers(1, 60))
def test_the_key_of_a_key_is_itself_in_every_unicode_form(name, limit):
    key = name_key(name, limit)

    assert name_key(key, limit) == key
    assert len(key.encode("utf-16-le")) <= limit * 2
    assert {name_key(unicodedata.normalize(form, name), limit) for form in ("NFC", "NFD")} == {key}


@pytest.mark.parametrize("name", ["a\u202eb", "\u2066a", "a\u200f", "\u061ca", "a\u2069"])
def test_controls_of_direction_are_seen(name):
    assert has_bidi_controls(name)
    assert not has_bidi_controls("שלום Büro")


def test_the_key_of_an_address_is_as_it_was():
    assert key_of(" Bu\N{COMBINING DIAERESIS}ro@Contoso.example\u200b ", 64) == "bu\u0308ro@contoso.example\u200b"
