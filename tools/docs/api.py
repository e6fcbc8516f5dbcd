"""Generates docs/api.md: the guide in api_guide.md, then the operations of the OpenAPI document, which has the rest."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from shared.http.operation import JSON, IfMatch, Operation
from shared.http.wire import NoFields
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
# Explained once for every operation that has them: under "Errors" and "Format".
_COMMON_CODES: Final = {
    *("processing_restricted", "not_found", "role_required"),
    *("trial_expired", "subscription_suspended", "subscription_cancelled"),
}
_COMMON_FIELDS: Final = {"organization", "project", "workItemId", "timeZone", "user", "userId", "from", "to"}
_MARKETPLACE: Final = "Marketplace"  # for Microsoft and buyers' browsers, so only listed
Json = dict[str, Any]


@dataclass
class _Explained:
    """The explanations of fields: those of a tag so far, and the text of the operation."""

    text: str = ""
    fields: set[tuple[str, str]] = field(default_factory=set)

    def is_new(self, name: str, about: str) -> bool:
        """Whether neither the guide, the text nor an earlier operation explains the field; from then on they do."""
        if name in _COMMON_FIELDS or f"`{name}`" in self.text or (name, about) in self.fields:
            return False
        self.fields.add((name, about))
        return True


def render(document: Json, operations: Mapping[str, Operation]) -> str:
    """The page, in Markdown."""
    parts = ["## Operations", "", *_operations(document, operations)]
    return "\n".join([GUIDE.read_text(encoding="utf-8"), *parts]).rstrip("\n") + "\n"


def _operations(document: Json, operations: Mapping[str, Operation]) -> Iterator[str]:
    by_heading: dict[str, list[tuple[Operation, Json]]] = {}
    for path in document["paths"].values():
        for described in path.values():
            operation = operations[described["operationId"]]
            by_heading.setdefault(operation.tag.replace("-", " ").capitalize(), []).append((operation, described))
    headings = sorted(by_heading)
    yield " · ".join(f"[{each}](#{each.lower().replace(' ', '-')})" for each in headings)
    yield ""
    schemas = document["components"]["schemas"]
    for heading in headings:
        yield from (f"### {heading}", "")
        entries = by_heading[heading]
        if heading == _MARKETPLACE:
            yield from (*_list(entries), "")
            continue
        shared = _shared_parameters([described for _, described in entries])
        if shared:
            yield f"Query of each: {_fields(shared, _Explained())}"
            yield ""
        explained = _Explained()
        for operation, described in entries:
            explained.text = described.get("description", "")
            yield from _operation(operation, described, shared, schemas, explained)


def _list(entries: list[tuple[Operation, Json]]) -> Iterator[str]:
    yield "For Microsoft and for buyers' browsers ([answers](marketplace.md#subscription-events))."
    yield ""
    for operation, described in entries:
        yield f'- <a id="{operation.id}"></a>{_call(operation)}: {described["summary"]}'


def _operation(
    operation: Operation, described: Json, shared: list[Json], schemas: Json, explained: _Explained
) -> Iterator[str]:
    queries = [each for each in described["parameters"] if each["in"] == "query"]
    marks = ", ".join(_marks(operation, queries))
    head = f'<a id="{operation.id}"></a>**{described["summary"]}**: {_call(operation)}: {marks}'
    yield f"{head} → {_answers(operation, is_csv=_takes_csv(queries))}"
    yield ""
    if operation.deprecated is not None:
        return
    if "description" in described:
        yield described["description"]
        yield ""
    special = _PAGING | (_CSV if _takes_csv(queries) else set())
    own = [each for each in queries if each["name"] not in special and each not in shared]
    lines = []
    if own:
        lines.append(f"- Query: {_fields(own, explained)}")
    if (
        operation.body is not None
        and operation.body is not NoFields
        and "oneOf" not in schemas[operation.body.__name__]
    ):
        lines.append(f"- Body: {_body(schemas[operation.body.__name__], schemas, explained)}")
    codes = [code for codes in operation.problems.values() for code in codes if code not in _COMMON_CODES]
    if codes:
        lines.append(f"- Errors: {', '.join(f'`{code}`' for code in codes)}")
    if lines:
        yield from (*lines, "")


def _call(operation: Operation) -> str:
    return f"`{operation.method} /api/{operation.path}`"


def _marks(operation: Operation, queries: list[Json]) -> Iterator[str]:
    permission = operation.permission
    own = "" if permission.everyone is None else f" ({_ACCESS[permission.everyone]}: all)"
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


def _fields(parameters: list[Json], explained: _Explained) -> str:
    return ", ".join(_field(each["name"], each["schema"], explained, required=each["required"]) for each in parameters)


def _field(name: str, schema: Json, explained: _Explained, *, required: bool) -> str:
    """A name with its meaning, unless that is explained already."""
    values = schema.get("enum") or schema.get("items", {}).get("enum", ())
    about = "; ".join(filter(None, [", ".join(f"`{value}`" for value in values), schema.get("description", "")]))
    mark = "" if required else "?"
    return f"`{name}{mark}`{f' ({about})' if about and explained.is_new(name, about) else ''}"


def _body(schema: Json, schemas: Json, explained: _Explained) -> str:
    """The fields of an object and of objects in its lists, without types."""
    if alternatives := schema.get("anyOf"):
        return " or ".join(_body(each, schemas, explained) for each in alternatives)
    if "$ref" in schema:
        return _body(schemas[schema["$ref"].rpartition("/")[2]], schemas, explained)
    required = schema.get("required", ())
    parts = []
    for name, part in schema.get("properties", {}).items():
        text = _field(name, part, explained, required=name in required)
        items = part.get("items", {}).get("$ref")
        parts.append(f"{text} of {_body(part['items'], schemas, explained)}" if items else text)
    return f"{{{', '.join(parts)}}}"


def _answers(operation: Operation, *, is_csv: bool) -> str:
    """The status and schema of each, with its meaning where there are several or no schema.

    The media types of operations with CSV are those of their `format`.
    """
    texts = []
    for status, answer in operation.answers.items():
        media = [f"`{each}`" for each in answer.media if each != JSON and not is_csv]
        kinds = [*([] if answer.model is None else [f"`{answer.model.__name__}`"]), *media]
        about = answer.description if len(operation.answers) > 1 or not kinds else ""
        shape = " or ".join(kinds)
        code = "" if status == HTTPStatus.OK and len(operation.answers) == 1 else f"{status} "
        texts.append(f"{code}{f'{shape}: {about}' if shape and about else shape or about}")
    return "; ".join(texts)


def codes_of(guide: str) -> set[tuple[int, str]]:
    """The status and code of every error that the guide explains."""
    found, status = set(), 0
    for item in re.findall(r"^- (\d{3} `\w+`(?:[^\n]|\n  )*)", guide, re.MULTILINE):
        for number, code in re.findall(r"(\d{3})? ?`(\w+)`", item.partition(":")[0]):
            status = int(number) if number else status
            found.add((status, code))
    return found
