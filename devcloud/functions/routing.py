"""Azure's route templates as werkzeug rules, and Azure's way of choosing among the functions that match."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, RequestRedirect, Rule
from werkzeug.routing.converters import BaseConverter

from devcloud.functions.indexing import IndexingError
from devcloud.functions.route_constraints import UnsupportedConstraint, converter
from devcloud.functions.worker import Function


SEGMENT = re.compile(r"(?:\{(?:[^{}]|\{\{|\}\})+\}|[^/])+")
PARAMETER = re.compile(r"\{(?P<star>\*{0,2})(?P<name>[A-Za-z_]\w*)(?P<constraints>:.+?)?(?P<optional>\?)?\}")
CACHED_PATHS = 4096
CACHED_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Match:
    function: Function
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Segment:
    text: str
    parameter: str = ""
    constraints: str = ""
    optional: bool = False
    catch_all: bool = False


class _Route:
    """The template of one function. It matches lowercase paths; values come from the original."""

    def __init__(self, function: Function, prefix: str) -> None:
        self.function = function
        self.methods = function.methods
        template = "/".join(part for part in (prefix, function.route.strip("/")) if part)
        try:
            self._segments = [_parse_segment(text) for text in SEGMENT.findall(template)]
            converters: dict[str, type[BaseConverter]] = {
                f"c{index}": converter(segment.constraints, catch_all=segment.catch_all)
                for index, segment in enumerate(self._segments)
                if segment.parameter
            }
        except (UnsupportedConstraint, re.error) as error:
            raise IndexingError(f"the function {function.name} has the route {function.route!r}: {error}") from error
        rules = [Rule(rule, endpoint=function.name) for rule in self._rules()]
        mapped = Map(rules, converters=converters, strict_slashes=False, merge_slashes=False)
        self._adapter = mapped.bind("localhost")

    @property
    def head(self) -> str | None:
        """The first two segments if both are plain text; the key of the lookup."""
        first = self._segments[:2]
        if len(first) < 2 or any(segment.parameter for segment in first):  # noqa: PLR2004 - two segments
            return None
        return "/".join(segment.text for segment in first)

    def params(self, path: str, lowered: str) -> dict[str, str] | None:
        """The parameters of a path; None if it does not match."""
        try:
            self._adapter.match(lowered, method="GET")
        except (HTTPException, RequestRedirect):
            return None
        given = path[1:].split("/")
        values = {
            segment.parameter: "/".join(given[index:]) if segment.catch_all else given[index]
            for index, segment in enumerate(self._segments[: len(given)])
            if segment.parameter
        }
        return {name: value for name, value in values.items() if value}

    def _rules(self) -> Iterable[str]:
        parts = [
            f"<c{index}:v{index}>" if segment.parameter else segment.text
            for index, segment in enumerate(self._segments)
        ]
        required = len(parts)
        while required and (self._segments[required - 1].optional or self._segments[required - 1].catch_all):
            required -= 1
        return ["/" + "/".join(parts[:count]) for count in range(required, len(parts) + 1)]


class Router:
    """Functions in the order of their names, ignoring case; the first match wins."""

    def __init__(self, functions: Iterable[Function], prefix: str) -> None:
        ordered = sorted((function for function in functions if function.is_http), key=_sort_key)
        self._routes = [_Route(function, prefix.strip("/").lower()) for function in ordered]
        heads = {route.head for route in self._routes if route.head}
        self._near = {head: [route for route in self._routes if route.head in {head, None}] for head in heads}
        self._elsewhere = [route for route in self._routes if route.head is None]
        self._cached = lru_cache(CACHED_PATHS)(self._find)

    def find(self, method: str, raw_path: str) -> Match | None:
        """The function for a raw path; a wrong method counts as no match."""
        return (self._cached if len(raw_path) <= CACHED_LENGTH else self._find)(method, raw_path)

    def _find(self, method: str, raw_path: str) -> Match | None:
        path = decode_path(raw_path)
        if not path.startswith("/") or path.startswith("//"):
            return None
        lowered = path.lower()
        head = "/".join(lowered[1:].split("/", 2)[:2])
        for route in self._near.get(head, self._elsewhere):
            if route.methods is not None and method not in route.methods:
                continue
            if (params := route.params(path, lowered)) is not None:
                return Match(route.function, params)
        return None


def decode_path(raw_path: str) -> str:
    """Decodes percent escapes except an escaped slash."""
    return unquote(re.sub(r"%2f", "%252F", raw_path, flags=re.IGNORECASE))


def _sort_key(function: Function) -> str:
    return function.name.upper()  # .NET compares upper-cased: "_" comes after the letters


def _parse_segment(text: str) -> _Segment:
    if "{" not in text and "}" not in text:
        if re.search(r"[<>]", text):
            raise UnsupportedConstraint(f"{text!r} is not plain text")
        return _Segment(text.lower())
    match = PARAMETER.fullmatch(text)
    if match is None:
        raise UnsupportedConstraint(f"the segment {text!r} is not one parameter as a whole")
    constraints = (match["constraints"] or "").replace("{{", "{").replace("}}", "}")
    return _Segment("", match["name"], constraints, bool(match["optional"]), bool(match["star"]))
