"""docs/privacy.md is generated from the code, and each sentence of the policy has calls and tests."""

import ast
from functools import cache
from pathlib import Path

import pytest

import function_app
from shared.http.operation import OPERATIONS
from tools.docs.privacy.page import PARTS, fill
from tools.docs.privacy.policy import sentences


ROOT = Path(__file__).resolve().parents[2]
SENTENCES = list(sentences())
assert function_app.app, "indexing the app is what registers the operations"


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_the_privacy_page_equals_the_generated_one():
    page = (ROOT / "docs/privacy.md").read_text()

    assert fill(page) == page
    assert all(f"<!-- generated: {name} -->" in page for name in PARTS)


def test_a_part_changed_by_hand_is_generated_again():
    page = (ROOT / "docs/privacy.md").read_text()

    assert fill(page.replace("seven years after", "eight years after")) == page


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: sentence.says)
def test_a_sentence_of_the_policy_names_existing_calls_and_tests(sentence):
    missing = {
        name for path, _, name in (test.partition("::") for test in sentence.tests) if name not in names_in(path)
    }

    assert sentence.tests
    assert missing == set()
    assert set(sentence.calls) <= set(OPERATIONS)


def test_every_privacy_call_is_in_a_sentence():
    named = {name for sentence in SENTENCES for name in sentence.calls}

    assert {name for name, operation in OPERATIONS.items() if operation.tag == "privacy"} <= named
