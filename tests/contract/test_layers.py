import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.offenders import hold


ROOT = Path(__file__).resolve().parents[2]
SLICES = ("timers", "reports", "tenants", "billing", "webhooks", "privacy")
OURS = {*SLICES, "shared", "devcloud", "ops", "tools", "function_app"}
IMPORTERS = {  # what only these may import
    "tools": {"tools"},
    "devcloud": {"devcloud", "tools"},
    "function_app": {"devcloud", "tools"},
    "ops": {"ops", "migrations"},  # operators run both
}
MODULES = [
    path
    for top in ("function_app.py", *sorted(OURS - {"function_app"}), "migrations/env.py")
    for path in (sorted((ROOT / top).rglob("*.py")) if (ROOT / top).is_dir() else [ROOT / top])
]
# Inside a slice, a layer may use those after it.
LAYERS = ("routes", "jobs", "pages", "flow", "schemas", "tables", "service", "store", "rules")


class Read(NamedTuple):
    """What tests ask of a module, which is parsed once for all of them."""

    imports: set[str]
    docstring: str
    functions: dict[str, int]  # the lines of the longest of a name
    called: set[str]  # methods
    texts: list[str]  # of formatted ones what is fixed


@cache
def read(path: Path) -> Read:
    tree = ast.parse(path.read_text())
    made = Read(set(), ast.get_docstring(tree) or "", {}, set(), [])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            made.imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            made.imports.update({node.module}, (f"{node.module}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            made.functions[node.name] = max(lines, made.functions.get(node.name, 0))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            made.called.add(node.func.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            made.texts.append(node.value)
    return made


def imports_of(path: Path) -> set[str]:
    return read(path).imports


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def layer_of(name: str) -> str:
    """What a file's name says: by its last word (`late_service`), or by its first (`service_late`)."""
    words = name.split("_")
    return next((word for word in (words[-1], words[0]) if word in LAYERS), "")


def modules() -> Iterator[tuple[str, Path]]:
    return ((module_name(path), path) for path in MODULES)


def forbidden(importer: str, imported: str) -> bool:
    """Whether one module of ours may not import another."""
    top, target = importer.partition(".")[0], imported.partition(".")[0]
    if target not in OURS or importer == imported:
        return False
    if target in IMPORTERS:
        return top not in IMPORTERS[target]
    if top == "ops":
        return target in SLICES and layer_of(imported.partition(".")[2].partition(".")[0]) in {"routes", "jobs"}
    if top == "shared":
        return target != "shared"
    return top in SLICES and target in SLICES and top != target


def upwards(importer: str, imported: str) -> bool:
    """Whether a layer of a slice imports one above itself."""
    own, other = importer.split("."), imported.split(".")
    if own[0] not in SLICES or own[0] != other[0] or len(other) == 1:
        return False
    rank = {layer: number for number, layer in enumerate(LAYERS)}
    return rank[layer_of(other[1])] < rank[layer_of(own[1])]


def test_imports_point_downwards_and_never_across_slices():
    def holds(importer: str, path: Path) -> None:
        assert {name for name in imports_of(path) if forbidden(importer, name) or upwards(importer, name)} == set()

    hold(holds, modules(), at_least=300)


def test_a_module_has_at_most_400_lines():
    def holds(_: str, path: Path) -> None:
        assert len(path.read_text().splitlines()) <= 400

    hold(holds, modules(), at_least=300)


def test_a_module_opens_with_a_sentence_that_says_what_it_owns():
    def holds(_: str, path: Path) -> None:
        assert read(path).docstring.partition("\n")[0][-1:] in {".", ":"}

    hold(holds, ((name, path) for name, path in modules() if path.read_text().strip()), at_least=300)


def test_a_function_has_at_most_60_lines():
    def holds(_: str, path: Path) -> None:
        assert {name: lines for name, lines in read(path).functions.items() if lines > 60} == {}

    hold(holds, modules(), at_least=300)


@pytest.mark.parametrize("layer", ["service", "store", "rules"])
def test_services_stores_and_rules_never_commit_or_open_a_transaction(layer):
    def holds(_: str, path: Path) -> None:
        assert read(path).called & {"commit", "rollback", "begin", "connect", "transaction"} == set()

    hold(holds, ((name, path) for name, path in modules() if layer_of(path.stem) == layer), at_least=20)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("store", "store"),
        ("store_log", "store"),
        ("log_store", "store"),
        ("service_late", "service"),
        ("late_service", "service"),
        ("clock", ""),
    ],
)
def test_the_last_word_of_a_files_name_is_its_layer_or_the_first(name, layer):
    assert layer_of(name) == layer


@pytest.mark.parametrize(
    ("importer", "imported", "refused"),
    [
        ("ops.tenants", "shared.audit", False),
        ("ops.tenants", "ops.store", False),
        ("ops.billing", "billing.service", False),
        ("ops.billing", "billing.jobs", True),
        ("ops.privacy", "shared.jobs", False),
        ("ops.billing", "billing.routes", True),
        ("ops.billing", "webhooks.routes_landing", True),
        ("ops.tenants", "devcloud.ports", True),
        ("shared.audit", "ops.store", True),
        ("tenants.service", "ops.rules", True),
        ("devcloud.demo", "ops.store", True),
        ("devcloud.run", "tools.bench", True),
        ("shared.app", "tools.chaos.run", True),
        ("tools.chaos.run", "devcloud.postgres", False),
    ],
)
def test_the_command_line_stands_on_what_routes_and_jobs_stand_on_and_nothing_stands_on_it(importer, imported, refused):
    assert forbidden(importer, imported) is refused
