"""docs/security.md names tests that are there."""

import ast
import re
from functools import cache
from pathlib import Path

from tests.support.cases import check_all


ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/security.md").read_text()
# [the test's name in words](../its/file.py)
NAMED = re.findall(r"\[([^\]]+)\]\(\.\./(tests/[\w/]+\.py)\)", PAGE)


@cache
def names_in(path: str) -> set[str]:
    nodes = ast.walk(ast.parse((ROOT / path).read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def test_a_test_that_the_page_names_is_there():
    def holds(words: str, path: str) -> None:
        assert f"test_{words.lower().replace(' ', '_')}" in names_in(path)

    check_all(holds, NAMED, at_least=60)


def test_every_threat_names_a_test():
    threats = PAGE.split("## Threats")[1].split("\n## ")[0].splitlines()
    rows = [line for line in threats if line.startswith("| ") and "---" not in line][1:]

    assert len(rows) >= 15
    assert [row for row in rows if "](../tests/" not in row] == []
