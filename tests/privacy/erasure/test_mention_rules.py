"""What counts as a mention, for any text: pure."""

import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from privacy.erasure.mention_rules import Identifiers, Redaction
from shared.http.idempotency import texts_in
from tests.support.hostile import NAMES


GONE = "erased-0123456789ab"
texts = st.text(max_size=60) | st.sampled_from(NAMES)
words = st.text(st.characters(categories=("Lu", "Ll", "Lo")), min_size=1, max_size=8)
names = st.lists(words, min_size=2, max_size=4).map(" ".join)


blanks = st.sampled_from([" ", "\n", "\t", "\r\n", " \u2028", "\u00a0"])
marks = st.sampled_from(["", " ", "\n", "\t", '"', "\\", "/", "\x7f", ": ", '\n"'])
quoted = st.lists(words | words.map('"{}"'.format), min_size=2, max_size=4).map(" ".join)


def mentions(name=None, *, ids=(), addresses=(), colleagues=()):
    return Redaction.of(Identifiers(tuple(ids), tuple(addresses), name), colleagues, GONE)


def named(name):
    return Identifiers((), (), name)


def called(name):
    return Identifiers((), (), None, name)


@given(texts, texts)
def test_without_an_id_an_address_or_a_name_nothing_is_changed(text, word):
    assume(len(word.split()) < 2)
    assert mentions(word).redact(text, 400) == text
    assert mentions(None, addresses=[word]).redact(text, 400) == text or re.search(r"\S@\S", word)


@given(words, st.from_regex(r"\A[\W\d_]+\Z"), st.booleans())
def test_a_number_is_no_word_of_a_name(word, number, comes_first):
    found = mentions(f"{number} {word}" if comes_first else f"{word} {number}")

    assert (found.full_name, found.patterns) == (None, ())


@given(names, texts, texts)
def test_a_name_between_blanks_is_found_and_nothing_else_is_changed(name, before, after):
    found, around = mentions(name), f"{before} {after}".casefold()
    assume(not any(word.casefold() in around for word in name.split()))
    text = f"{before} {name} {after}"

    assert found.matches(text)
    assert found.redact(text, 1000) == f"{before} {GONE} {after}"


@given(names, texts, texts)
def test_what_is_found_in_a_text_is_found_by_a_pattern_in_its_lower_case(name, before, after):
    """As every engine would: LIKE on what has been put in lower case, in ASCII at least."""
    found, text = mentions(name), f"{before} {name} {after}"
    lower = "".join(letter.lower() if letter.isascii() else letter for letter in text)
    patterns = [re.escape(each).replace("%", ".*") for each in found.patterns]

    assert any(re.fullmatch(each, lower, re.DOTALL) for each in patterns)


@pytest.mark.parametrize(
    "written",
    [
        "\N{KELVIN SIGN}is",
        "K\N{LATIN SMALL LETTER DOTLESS I}s",
        "K\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}s",
        "Ki\N{LATIN SMALL LETTER LONG S}",
    ],
)
def test_letters_that_are_plain_ones_under_some_rule_of_unicode_are_others(written):
    """No pattern finds them on every engine; nor is an address with them the same to an invitation."""
    found = mentions("Kis Iks", addresses=["kis@a.example"])
    colleague = Identifiers((), (f"{written}@a.example",), None)

    assert not found.matches(f"with {written} Iks or {written}@a.example")
    assert all(map(found.matches, ("with KIS IKS", "KIS@A.example")))
    assert mentions(addresses=["kis@a.example"], colleagues=[colleague]).addresses == found.addresses


@given(names, texts)
def test_what_takes_a_mentions_place_fits_where_the_text_did(name, text):
    whole = f"{text} {name} {text} {name}"
    units = len(whole.encode("utf-16-le")) // 2

    assert len(mentions(name).redact(whole, units).encode("utf-16-le")) // 2 <= units


@given(quoted, st.lists(blanks, min_size=4, max_size=4), marks, marks, st.booleans())
def test_what_is_found_in_a_text_is_found_in_a_document_that_has_it(name, between, before, after, is_ascii):
    """However JSON spells it: the pattern finds the document as it is kept, and the matcher the text in it."""
    found = mentions(name)
    written = "".join(word + blank for word, blank in zip(name.split(), between, strict=False))
    text = f"{before}{written.rstrip()}{after}"
    document = json.dumps({"note": [{"text": text}]}, ensure_ascii=is_ascii)
    lower = "".join(letter.lower() if letter.isascii() else letter for letter in document)
    patterns = [re.escape(each).replace("%", ".*") for each in found.patterns]

    assert found.matches(text)
    assert found.redact(text, 1000) == f"{before}{GONE}{after}"
    assert any(re.fullmatch(each, lower, re.DOTALL) for each in patterns)
    assert any(map(found.matches, texts_in(document)))


@given(names, texts)
def test_a_document_without_the_name_in_any_text_does_not_show_it(name, text):
    found = mentions(name)
    assume(not found.matches(text))

    assert not any(map(found.matches, texts_in(json.dumps({"note": text, "at": 7, "of": [None, True, text]}))))


@given(names)
def test_a_name_that_a_colleague_has_alone_or_in_a_longer_one_is_nobodys(name):
    for theirs in (name, name.upper(), f"{name} Jones", f"Ann {name}"):
        found = mentions(name, colleagues=[named(theirs)])
        assert (found.full_name, found.assignee) == (None, None)


@given(names)
def test_a_name_that_a_colleague_chose_takes_only_the_equal_one(name):
    """Whoever has no name of the directory may be called so; a longer name that they chose takes nobody's."""
    blocked, free = (name, f"  {name.upper()} ", name.replace(" ", "  ")), (f"{name} Jones", f"Ann {name}", name[:-1])

    assert [mentions(name, colleagues=[called(each)]).assignee for each in blocked] == [None] * len(blocked)
    assert [mentions(name, colleagues=[called(each)]).assignee for each in free] == [name] * len(free)


def test_an_address_is_a_whole_one():
    found = mentions(addresses=["grace@contoso.example", "no-address"])

    assert found.addresses == ("grace@contoso.example",)
    assert not any(map(found.matches, ("x.grace@contoso.example", "grace@contoso.example.org", "no-address")))
    assert all(map(found.matches, ("<GRACE@contoso.example>", "grace@contoso.example.", "to:grace@contoso.example,")))


def test_an_address_that_a_colleague_has_is_nobodys():
    colleague = Identifiers((), ("Grace@Contoso.example",), None)

    assert mentions(addresses=["grace@contoso.example"], colleagues=[colleague]).addresses == ()
