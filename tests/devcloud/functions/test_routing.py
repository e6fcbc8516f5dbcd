import pytest

from devcloud.functions.indexing import IndexingError
from devcloud.functions.routing import Match, Router
from devcloud.functions.worker import Function


GUID = "6e74172b-be56-4843-9ff4-e66a39bb12e3"


def http(name: str, route: str, *methods: str) -> Function:
    return Function(name, name, {"type": "httpTrigger", "name": "req", "route": route, "methods": list(methods)})


def match_route(route: str, path: str) -> dict[str, str] | None:
    match = Router([http("f", route)], "").find("GET", path)
    return None if match is None else dict(match.params)


MATCHES = [
    ("a/{x}", "/a/B", {"x": "B"}),
    ("A/b", "/a/B", {}),
    ("a/{x}", "/a/b/c", None),
    ("a/{x?}", "/a", {}),
    ("a/{x?}/{y?}", "/a/1", {"x": "1"}),
    ("a/{x}/c", "/a/c", None),
    ("a/{*rest}", "/a/b//C/", {"rest": "b//C/"}),
    ("a/{*rest}", "/a", {}),
    ("{*rest}", "/", {}),
    ("{*rest}", "/x/y", {"rest": "x/y"}),
    ("a/{x:int}", "/a/-2147483648", {"x": "-2147483648"}),
    ("a/{x:int}", "/a/2147483648", None),
    ("a/{x:int?}", "/a", {}),
    ("a/{x:int?}", "/a/b", None),
    ("a/{x:long}", "/a/2147483648", {"x": "2147483648"}),
    ("a/{x:bool}", "/a/TRUE", {"x": "TRUE"}),
    ("a/{x:bool}", "/a/yes", None),
    ("a/{x:guid}", f"/a/{GUID.upper()}", {"x": GUID.upper()}),
    ("a/{x:guid}", f"/a/{GUID.replace('-', '')}", {"x": GUID.replace("-", "")}),
    ("a/{x:guid}", "/a/6e74172b", None),
    ("a/{x:alpha}", "/a/Abc", {"x": "Abc"}),
    ("a/{x:alpha}", "/a/a1", None),
    ("a/{x:decimal}", "/a/-1.5", {"x": "-1.5"}),
    ("a/{x:decimal}", "/a/1e5", None),
    ("a/{x:double}", "/a/1e5", {"x": "1e5"}),
    ("a/{x:length(3)}", "/a/abc", {"x": "abc"}),
    ("a/{x:length(2,3)}", "/a/abcd", None),
    ("a/{x:minlength(2):maxlength(3)}", "/a/ab", {"x": "ab"}),
    ("a/{x:minlength(2):maxlength(3)}", "/a/a", None),
    ("a/{x:range(1,12)}", "/a/13", None),
    ("a/{x:min(1)}", "/a/1", {"x": "1"}),
    ("a/{x:max(1)}", "/a/2", None),
    (r"a/{x:regex(^\d{{4}}-\d{{2}}$)}", "/a/2026-11", {"x": "2026-11"}),
    (r"a/{x:regex(^\d{{4}}-\d{{2}}$)}", "/a/2026-1", None),
    ("a/{x:regex(^(b|c)$)}/d", "/a/C/d", {"x": "C"}),
    ("a/{x}", "/a/b%2Fc%20d", {"x": "b%2Fc d"}),
    ("a/{x}", "/a/%C3%89", {"x": "É"}),
]


@pytest.mark.parametrize(("route", "path", "expected"), MATCHES)
def test_a_template_matches_as_in_azure(route, path, expected):
    assert match_route(route, path) == expected


@pytest.mark.parametrize("route", ["a/{x:datetime}", "a/{x:length(q)}", "a/{x:regex(()}", "a/{x=5}", "a/{x", "a/b{x}"])
def test_a_template_the_host_cannot_hold_to_names_its_function(route):
    with pytest.raises(IndexingError, match=r"the function f has the route 'a/.*': "):
        Router([http("f", route)], "api")


def test_functions_are_tried_in_the_order_of_their_names_case_aside():
    functions = [http("b", "a/exact"), http("A", "a/{x}"), http("c_d", "c/{x}"), http("cad", "c/{x}")]
    router = Router(functions, "api")

    assert [_name(router.find("GET", path)) for path in ("/api/a/exact", "/api/c/1")] == ["A", "cad"]


def test_a_function_without_methods_takes_every_method():
    router = Router([http("a", "a", "GET"), http("b", "{*rest}")], "api")

    assert [_name(router.find(method, "/api/a")) for method in ("GET", "HEAD", "PURGE")] == ["a", "b", "b"]


def test_long_paths_are_found_and_not_remembered():
    router = Router([http("a", "{*rest}")], "api")
    path = "/api/" + "x" * 5000

    assert _name(router.find("GET", path)) == "a"
    assert router.find("GET", "/other") is None


def _name(match: Match | None) -> str | None:
    return None if match is None else match.function.name
