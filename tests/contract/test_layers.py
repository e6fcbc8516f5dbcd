import ast
from pathlib import Path

import pytest


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


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def forbidden(importer: str, imported: str) -> bool:
    """Whether one module of ours may not import another."""
    top, target = importer.partition(".")[0], imported.partition(".")[0]
    if target not in OURS or importer == imported:
        return False
    if target in IMPORTERS:
        return top not in IMPORTERS[target]
    if top == "ops":
        layer = imported.partition(".")[2].partition(".")[0].partition("_")[0]
        return target in SLICES and layer in {"routes", "jobs"}
    if top == "shared":
        return target != "shared"
    return top in SLICES and target in SLICES and top != target


def upwards(importer: str, imported: str) -> bool:
    """Whether a layer of a slice imports one above itself."""
    own, other = importer.split("."), imported.split(".")
    if own[0] not in SLICES or own[0] != other[0] or len(other) == 1:
        return False
    rank = {layer: number for number, layer in enumerate(LAYERS)}
    layer_of = {name: rank[name.split("_")[0]] for name in {own[1], other[1]}}
    return layer_of[other[1]] < layer_of[own[1]]


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_downwards_and_never_across_slices(path):
    importer = module_name(path)

    wrong = {name for name in imports_of(path) if forbidden(importer, name) or upwards(importer, name)}

    assert wrong == set()


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_a_module_has_at_most_400_lines(path):
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", [path for path in MODULES if path.read_text().strip()], ids=module_name)
def test_a_module_opens_with_a_sentence_that_says_what_it_owns(path):
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""

    assert docstring.splitlines()[0][-1:] in {".", ":"}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_a_function_has_at_most_60_lines(path):
    long = {
        node.name: length
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > 60
    }

    assert long == {}


@pytest.mark.parametrize("name", ["service", "store", "rules"])
def test_services_stores_and_rules_never_commit_or_open_a_transaction(name):
    for path in MODULES:
        if path.stem.split("_")[0] == name:
            called = {
                node.func.attr
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            }

            assert called & {"commit", "rollback", "begin", "connect", "transaction"} == set(), path


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
