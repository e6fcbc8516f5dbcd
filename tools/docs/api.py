"""Generates docs/api.md: the guide in api_guide.md, then the operations and shapes of the OpenAPI document."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from shared.http.operation import JSON, IfMatch, Operation
from shared.http.wire import NoFields, WireModel
from shared.permissions import Access


GUIDE: Final = Path(__file__).with_name("api_guide.md")
_PAGING: Final = {"after", "pageSize"}
_CSV: Final = {"separator", "decimal", "profile"}
_ACCESS: Final = {
    Access.ANYONE: "public",
    Access.TOKEN: "token",
    Access.USER: "user",
    Access.ADMIN: "admin",
    Access.SUPER_ADMIN: "super admin",
}
_LIMITS: Final = {"minimum": "≥", "maximum": "≤", "maxLength": "length ≤"}
Json = dict[str, Any]


def render(document: Json, operations: Mapping[str, Operation]) -> str:
    """The page, in Markdown."""
    parts = ["## Operations", "", *_operations(document, operations), *_shapes(document)]
    return "\n".join([GUIDE.read_text(encoding="utf-8"), *parts]) + "\n"


def _operations(document: Json, operations: Mapping[str, Operation]) -> Iterator[str]:
    by_tag: dict[str, list[tuple[Operation, Json]]] = {}
    for path in document["paths"].values():
        for described in path.values():
            operation = operations[described["operationId"]]
            by_tag.setdefault(operation.tag, []).append((operation, described))
    for tag, entries in sorted(by_tag.items()):
        calls = (f"[`{operation.method} /api/{operation.path}`](#{operation.id})" for operation, _ in entries)
        yield f"- {_title(tag)}: {', '.join(calls)}"
    for tag, entries in sorted(by_tag.items()):
        yield from ("", f"### {_title(tag)}", "")
        shared = _shared_parameters([described for _, described in entries])
        if shared:
            yield "Query parameters of all these operations:"
            yield ""
            yield from map(_parameter, shared)
            yield ""
        for operation, described in entries:
            yield from _operation(operation, described, shared)


def _title(tag: str) -> str:
    return tag.replace("-", " ").capitalize()


def _operation(operation: Operation, described: Json, shared: list[Json]) -> Iterator[str]:
    yield f'<a id="{operation.id}"></a>'
    yield ""
    yield f"#### {described['summary']}"
    yield ""
    queries = [each for each in described["parameters"] if each["in"] == "query"]
    yield f"`{operation.method} /api/{operation.path}` · {' · '.join(_marks(operation, queries))}"
    yield ""
    if "description" in described:
        yield described["description"]
        yield ""
    common = _PAGING | (_CSV if _takes_csv(queries) else set())
    own = [each for each in queries if each["name"] not in common and each not in shared]
    yield from map(_parameter, own)
    if operation.body is not None and operation.body is not NoFields:
        yield f"- Body: {_model(operation.body)}"
    for status, answer in operation.answers.items():
        shapes = [] if answer.model is None else [_model(answer.model)]
        shapes += [f"`{media}`" for media in answer.media if media != JSON]
        yield f"- {status}: {', '.join([answer.description, *shapes])}"
    if operation.problems and not operation.for_browser:
        errors = (f"{status} {_codes(codes)}" for status, codes in sorted(operation.problems.items()))
        yield f"- Errors: {'; '.join(errors)}"
    yield ""


def _marks(operation: Operation, queries: list[Json]) -> Iterator[str]:
    permission = operation.permission
    own = "" if permission.everyone is None else f" (own data; {_ACCESS[permission.everyone]}: all)"
    yield _ACCESS[permission.access] + own
    if operation.if_match is not None:
        yield "If-Match" + (" required" if operation.if_match is IfMatch.REQUIRED else "")
    if operation.asks_azure_devops:
        yield "Azure DevOps token"
    if {each["name"] for each in queries} >= _PAGING:
        yield "paged"
    if _takes_csv(queries):
        yield "CSV"
    if operation.is_read:
        yield "no Idempotency-Key"
    if operation.deprecated is not None:
        yield f"*deprecated*: use `{operation.deprecated.successor}`"


def _takes_csv(queries: list[Json]) -> bool:
    return {each["name"] for each in queries} >= _CSV


def _shared_parameters(operations: list[Json]) -> list[Json]:
    """The query parameters, other than those of pages and CSV, that all of several operations have."""
    lists = [[each for each in described["parameters"] if each["in"] == "query"] for described in operations]
    if len(lists) == 1:
        return []
    first, *others = lists
    special = _PAGING | _CSV
    return [each for each in first if each["name"] not in special and all(each in other for other in others)]


def _parameter(parameter: Json) -> str:
    notes = ("required" if parameter["required"] else "", parameter["schema"].get("description", ""))
    return _field(parameter["name"], parameter["schema"], *notes)


def _field(name: str, schema: Json, *notes: str) -> str:
    text = "; ".join(filter(None, notes))
    return f"- `{name}` {_type(schema)}{f': {text}' if text else ''}"


def _codes(codes: tuple[str, ...]) -> str:
    return ", ".join(f"`{code}`" for code in codes)


def _model(model: type[WireModel]) -> str:
    return _type({"$ref": model.__name__})


def _shapes(document: Json) -> Iterator[str]:
    yield from ("## Shapes", "")
    for name, schema in document["components"]["schemas"].items():
        if _is_plain_problem(document, schema):
            continue
        yield f'<a id="{name.lower()}"></a>'
        yield ""
        yield f"**{name}**{_enumeration(schema)}"
        yield ""
        if "description" in schema:
            yield schema["description"]
            yield ""
        for field, part in schema.get("properties", {}).items():
            optional = "" if field in schema.get("required", ()) else "optional"
            about = "" if field.endswith("Ms") else part.get("description", "")
            yield _field(field, part, optional, about)
        yield ""


def _is_plain_problem(document: Json, schema: Json) -> bool:
    """Whether it is the schema of a problem code without members of its own; the codes are explained under Errors."""
    fields = schema.get("properties", {})
    is_problem = fields.keys() == document["components"]["schemas"]["Problem"]["properties"].keys()
    return is_problem and "const" in fields["code"]


def _enumeration(schema: Json) -> str:
    return f": {_type(schema)}" if "enum" in schema else ""


def _type(schema: Json) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"] if part != {"type": "null"})
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    words = [str(schema.get("format", schema.get("type", "anything")))]
    words += [f"{sign} {schema[limit]}" for limit, sign in _LIMITS.items() if limit in schema]
    return ", ".join(words)


def codes_of(guide: str) -> set[tuple[int, str]]:
    """The status and code of every error that the guide explains."""
    found, status = set(), 0
    for item in re.findall(r"^- (\d{3} `\w+`(?:[^\n]|\n  )*)", guide, re.MULTILINE):
        for number, code in re.findall(r"(\d{3})? ?`(\w+)`", item.partition(":")[0]):
            status = int(number) if number else status
            found.add((status, code))
    return found
