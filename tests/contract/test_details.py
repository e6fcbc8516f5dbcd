"""Texts for people have no route, no header and no identifier."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest


pytestmark = pytest.mark.http_only
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("shared", "timers", "tenants", "reports", "billing", "privacy", "webhooks")
FOR_DEVELOPERS = {"Operation", "Answer", "Field"}  # of them the description of the API is made
OWN = {ROOT / "shared/http/openapi.py"}
TECHNICAL = re.compile(
    r"\b(?:GET|HEAD|POST|PUT|PATCH|DELETE)\b|/api/|\bX-\w+|\b(?:If-Match|ETags?|Idempotency-Key|Authorization"
    r"|Content-[A-Z]\w+|Retry-After|Transfer-Encoding)\b|\w_\w|\b[a-z]+[A-Z]\w*\b"
)
NAMES = re.compile(r"GitHub|iPhone")


def sentences(tree: ast.AST) -> Iterator[str]:
    """Texts of the code that are sentences, docstrings and the API's description left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in FOR_DEVELOPERS:
            continue
        text = None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        if text is None:
            yield from sentences(node)
        elif re.search(r"\w [\w …]+.*\.\Z", text):
            yield text


def test_texts_for_people_have_no_route_and_no_header():
    seen, technical = 0, []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path in OWN:
                continue
            for text in sentences(ast.parse(path.read_text(encoding="utf-8"))):
                seen += 1
                if TECHNICAL.search(text):
                    technical.append(f"{path.relative_to(ROOT)}: {text}")

    assert seen > 150
    assert technical == []


@pytest.mark.parametrize(
    "text", ["Sign in first: POST /api/sign-in.", "Send If-Match first.", "The role super_admin.", "Name the timerId."]
)
def test_a_technical_text_is_detected(text):
    assert list(sentences(ast.parse(f"raise Forbidden({text!r})"))) == [text]
    assert TECHNICAL.search(text)
