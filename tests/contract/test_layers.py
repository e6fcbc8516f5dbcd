import ast
import importlib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.cases import check_all


ROOT = Path(__file__).resolve().parents[2]
SLICES = ("timers", "reports", "tenants", "billing", "webhooks", "privacy")
OURS = {*SLICES, "shared", "devcloud", "ops", "tools", "function_app"}
MODULES = [
    path
    for top in ("function_app.py", *sorted(OURS - {"function_app"}), "migrations/env.py")
    for path in (sorted((ROOT / top).rglob("*.py")) if (ROOT / top).is_dir() else [ROOT / top])
]
# Inside a feature, a layer may use those after it.
LAYERS = ("routes", "jobs", "pages", "flow", "schemas", "service", "store", "rules")
EDGE = {"function_app", "shared.http.endpoint"}  # used by every request
# Beside routes, jobs and flows of slices: it begins a pause.
OPENS_ITS_OWN = {"timers.azure_devops.client"}


class ParsedModule(NamedTuple):
    """The parsed facts of a module, cached for all tests."""

    imports: set[str]
    names: set[tuple[str, str]]  # of `from module import name`
    docstring: str
    functions: dict[str, int]  # the lines of the longest of a name
    called: set[str]  # methods
    texts: list[str]  # of f-strings the fixed parts


@cache
def read(path: Path) -> ParsedModule:
    tree = ast.parse(path.read_text())
    made = ParsedModule(set(), set(), ast.get_docstring(tree) or "", {}, set(), [])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            made.imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            made.imports.update({node.module}, (f"{node.module}.{alias.name}" for alias in node.names))
            made.names.update((node.module, alias.name) for alias in node.names)
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


def slice_of(module: str) -> str:
    return module.partition(".")[0]


def layer_of(name: str) -> str:
    """The layer by the last word of a file's name: `late_service` is a service."""
    last = name.rpartition("_")[2]
    return last if last in LAYERS else ""


def place_of(module: str) -> tuple[str, str]:
    """The feature and the layer of a module: `timers.running` and `store`; no layer if its name has none."""
    *folders, name = module.split(".")
    for depth, folder in enumerate(folders):
        if depth and layer_of(folder):
            return ".".join(folders[:depth]), layer_of(folder)
    return ".".join(folders), layer_of(name)


def modules() -> Iterator[tuple[str, Path]]:
    return ((module_name(path), path) for path in MODULES)


def of(*tops: str) -> Iterator[tuple[str, Path]]:
    return ((name, path) for name, path in modules() if slice_of(name) in tops)


def upwards(importer: str, imported: str) -> bool:
    """Whether a layer of a feature imports one above itself; lint-imports checks imports between features.

    A module without a layer in its name is below the flows.
    """
    (feature, own), (another, other) = place_of(importer), place_of(imported)
    return feature == another and other != "" and LAYERS.index(other) < LAYERS.index(own or "schemas")


def test_in_a_feature_imports_point_to_the_layers_below():
    def holds(importer: str, path: Path) -> None:
        assert {name for name in imports_of(path) if upwards(importer, name)} == set()

    every = of(*SLICES, "shared")
    check_all(holds, ((name, path) for name, path in every if not name.endswith(".blueprints")), at_least=350)


def is_offered(module: str, name: str) -> bool:
    """Whether a package lists a name in its `__all__`, or the name is another package, which lint-imports judges."""
    folder = ROOT.joinpath(*module.split("."))
    if not folder.is_dir() or (folder / f"{name}.py").exists():
        return False
    return (folder / name).is_dir() or name in importlib.import_module(module).__all__


def test_a_slice_imports_only_names_offered_by_packages_of_another():
    def holds(_: str, module: str, name: str) -> None:
        assert is_offered(module, name)

    taken = ((importer, *names) for importer, path in of(*SLICES) for names in sorted(read(path).names))
    check_all(holds, (each for each in taken if slice_of(each[1]) in {*SLICES} - {slice_of(each[0])}), at_least=140)


def users_of_shared() -> dict[str, set[str]]:
    """The slices that use a module of shared, directly or through others of shared, and `edge` for every request."""
    importers: defaultdict[str, set[str]] = defaultdict(set)
    for importer, path in of(*SLICES, "shared", "function_app"):
        for name in imports_of(path):
            importers[name].add(importer)

    def of_module(module: str, seen: set[str]) -> set[str]:
        users: set[str] = set()
        for importer in importers[module] - seen:
            seen.add(importer)
            if importer in EDGE:
                users.add("edge")
            elif slice_of(importer) != "shared":
                users.add(slice_of(importer))
            else:
                users |= of_module(importer, seen)
        return users

    return {module: of_module(module, {module}) for module, _ in of("shared")}


def test_each_module_of_shared_has_two_slices_or_the_edge_as_users():
    def holds(_: str, users: set[str]) -> None:
        assert "edge" in users or len(users) >= 2

    users = users_of_shared()
    modules_with_code = {name for name, path in of("shared") if len(ast.parse(path.read_text()).body) > 1}

    check_all(holds, sorted((name, users[name]) for name in modules_with_code), at_least=50)


def test_the_command_line_imports_no_routes_and_no_jobs():
    def holds(_: str, path: Path) -> None:
        opened = {name for name in imports_of(path) if place_of(name)[1] in {"routes", "jobs"}}
        assert {name for name in opened if slice_of(name) in SLICES} == set()

    check_all(holds, of("ops"), at_least=45)


def test_the_product_does_not_import_the_module_that_registers_it():
    def holds(_: str, path: Path) -> None:
        assert "function_app" not in imports_of(path)

    check_all(holds, of(*SLICES, "shared", "ops"), at_least=400)


def test_a_module_has_at_most_400_lines():
    def holds(_: str, path: Path) -> None:
        assert len(path.read_text().splitlines()) <= 400

    check_all(holds, modules(), at_least=550)


def test_a_module_opens_with_one_sentence():
    def holds(_: str, path: Path) -> None:
        assert read(path).docstring.partition("\n")[0][-1:] in {".", ":"}

    check_all(holds, ((name, path) for name, path in modules() if path.read_text().strip()), at_least=550)


def test_a_function_has_at_most_60_lines():
    def holds(_: str, path: Path) -> None:
        assert {name: lines for name, lines in read(path).functions.items() if lines > 60} == {}

    check_all(holds, modules(), at_least=550)


def test_in_a_slice_only_routes_jobs_and_flows_commit_or_open_a_transaction():
    def holds(name: str, path: Path) -> None:
        opens = read(path).called & {"commit", "rollback", "begin", "connect", "transaction"}
        assert bool(opens) is (name in OPENS_ITS_OWN)

    inner = ((name, path) for name, path in of(*SLICES) if layer_of(path.stem) not in {"routes", "jobs", "flow"})
    check_all(holds, inner, at_least=180)


@pytest.mark.parametrize("layer", ["service", "store", "rules"])
def test_services_stores_and_rules_never_commit_or_open_a_transaction(layer):
    def holds(_: str, path: Path) -> None:
        assert read(path).called & {"commit", "rollback", "begin", "connect", "transaction"} == set()

    check_all(holds, ((name, path) for name, path in modules() if layer_of(path.stem) == layer), at_least=20)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("store", "store"),
        ("store_log", ""),
        ("log_store", "store"),
        ("late_service", "service"),
        ("clock", ""),
    ],
)
def test_the_last_word_of_a_files_name_is_its_layer(name, layer):
    assert layer_of(name) == layer


@pytest.mark.parametrize(
    ("module", "name", "is_open"),
    [
        ("timers", "find_running", True),
        ("timers", "azure_devops", True),
        ("timers", "store", False),
        ("timers.store", "find_running", False),
        ("timers.entries", "stop_if_running", True),
        ("timers.entries", "finish_service", False),
        ("timers.azure_devops", "AzureDevOpsSession", True),
        ("timers.azure_devops", "App", False),
    ],
)
def test_a_package_offers_its_listed_names_and_no_module(module, name, is_open):
    assert is_offered(module, name) is is_open


@pytest.mark.parametrize(
    ("importer", "imported", "is_upwards"),
    [
        ("timers.running.store", "timers.running.late_service", True),
        ("timers.running.late_service", "timers.running.store", False),
        ("timers.running.store", "timers.entries.routes", False),
        ("webhooks.landing.service", "webhooks.landing.pages.purchase", True),
        ("webhooks.landing.routes", "webhooks.landing.pages.purchase", False),
        ("timers.model", "timers.running.store", False),
    ],
)
def test_a_layer_is_compared_with_those_of_its_feature(importer, imported, is_upwards):
    assert upwards(importer, imported) is is_upwards
