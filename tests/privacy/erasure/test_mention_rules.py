"""The rules of mentions and redaction, for any text. Pure."""

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


def redaction(name=None, *, ids=(), addresses=(), colleagues=()):
    return Redaction.of(Identifiers(tuple(ids), tuple(addresses), name), colleagues, GONE)


def with_directory_name(name):
    return Identifiers((), (), name)


def with_chosen_name(name):
    return Identifiers((), (), None, name)


@given(texts, texts)
def test_text_without_an_id_address_or_name_is_not_changed(text, word):
    assume(len(word.split()) < 2)
    assert redaction(word).redact(text, 400) == text
    assert redaction(None, addresses=[word]).redact(text, 400) == text or re.search(r"\S@\S", word)


@given(words, st.from_regex(r"\A[\W\d_]+\Z"), st.booleans())
def test_a_number_does_not_count_as_a_word_of_a_name(word, number, comes_first):
    found = redaction(f"{number} {word}" if comes_first else f"{word} {number}")

    assert (found.full_name, found.patterns) == (None, ())


@given(names, texts, texts)
def test_a_name_between_blanks_is_replaced_and_other_text_is_not(name, before, after):
    found, around = redaction(name), f"{before} {after}".casefold()
    assume(not any(word.casefold() in around for word in name.split()))
    text = f"{before} {name} {after}"

    assert found.matches(text)
    assert found.redact(text, 1000) == f"{before} {GONE} {after}"


@given(names, texts, texts)
def test_the_patterns_find_every_mention_in_lower_case_text(name, before, after):
    """LIKE on text in lower case of at least the ASCII letters, as in every database."""
    found, text = redaction(name), f"{before} {name} {after}"
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
def test_letters_that_unicode_folds_to_ascii_do_not_match_ascii_letters(written):
    """No pattern finds them in every database, and invitations treat such addresses as different."""
    found = redaction("Kis Iks", addresses=["kis@a.example"])
    colleague = Identifiers((), (f"{written}@a.example",), None)

    assert not found.matches(f"with {written} Iks or {written}@a.example")
    assert all(map(found.matches, ("with KIS IKS", "KIS@A.example")))
    assert redaction(addresses=["kis@a.example"], colleagues=[colleague]).addresses == found.addresses


@given(names, texts)
def test_redacted_text_is_never_longer_than_the_limit(name, text):
    whole = f"{text} {name} {text} {name}"
    units = len(whole.encode("utf-16-le")) // 2

    assert len(redaction(name).redact(whole, units).encode("utf-16-le")) // 2 <= units


@given(quoted, st.lists(blanks, min_size=4, max_size=4), marks, marks, st.booleans())
def test_every_mention_in_a_text_is_also_found_in_a_json_document(name, between, before, after, is_ascii):
    """With any JSON escapes: the pattern finds the stored document, and the expression finds the text in it."""
    found = redaction(name)
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
def test_a_document_without_a_mention_in_its_texts_does_not_match(name, text):
    found = redaction(name)
    assume(not found.matches(text))

    assert not any(map(found.matches, texts_in(json.dumps({"note": text, "at": 7, "of": [None, True, text]}))))


@given(names)
def test_a_name_that_is_part_of_a_colleagues_name_is_not_searched(name):
    for theirs in (name, name.upper(), f"{name} Jones", f"Ann {name}"):
        found = redaction(name, colleagues=[with_directory_name(theirs)])
        assert (found.full_name, found.assignee) == (None, None)


@given(names)
def test_a_self_chosen_name_of_a_colleague_blocks_only_an_equal_name(name):
    """A self-chosen name can be the directory's, so it blocks an equal name, but not a part of it."""
    blocked, free = (name, f"  {name.upper()} ", name.replace(" ", "  ")), (f"{name} Jones", f"Ann {name}", name[:-1])

    assert [redaction(name, colleagues=[with_chosen_name(each)]).assignee for each in blocked] == [None] * len(blocked)
    assert [redaction(name, colleagues=[with_chosen_name(each)]).assignee for each in free] == [name] * len(free)


def test_an_address_matches_only_as_a_whole():
    found = redaction(addresses=["grace@contoso.example", "no-address"])

    assert found.addresses == ("grace@contoso.example",)
    assert not any(map(found.matches, ("x.grace@contoso.example", "grace@contoso.example.org", "no-address")))
    assert all(map(found.matches, ("<GRACE@contoso.example>", "grace@contoso.example.", "to:grace@contoso.example,")))


def test_an_address_shared_with_a_colleague_is_not_searched():
    colleague = Identifiers((), ("Grace@Contoso.example",), None)

    assert redaction(addresses=["grace@contoso.example"], colleagues=[colleague]).addresses == ()
