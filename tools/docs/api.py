"""Writes docs/api.md from the OpenAPI document that the app serves."""

import json
from collections.abc import Iterator
from typing import Any, Final


_REFUSALS: Final = ("application/problem+json", "text/html")
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_INTRO: Final = """\
# The HTTP API

<!-- Made by scripts/docs from GET /api/openapi.json; change the operations in the code, not this page. -->

Base path `/api`. JSON in camelCase. Times are RFC 3339 UTC, durations whole milliseconds (`…Ms`), months `YYYY-MM`,
ids opaque strings. Every call but those marked *anyone* carries `Authorization: Bearer <access token>`; every answer
carries `Cache-Control: no-store` and `X-Request-Id`. Errors are RFC 9457 problem documents: branch on `code`.

`POST` takes an `Idempotency-Key`, except where it only looks things up: repeat the request with the same key and you
get the first answer, for 48 hours, however often and in whatever order the repeats arrive. A conflict (409) is kept for
its key too. A key counts for one person and one operation: take a fresh one, such as a UUID, for each thing that is to
be done.
"""


def render(document: dict[str, Any]) -> str:
    """The page, in Markdown."""
    return "\n".join([_INTRO, *_index(document), *_operations(document), *_shapes(document)]) + "\n"


def _each(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield method.upper(), path, methods[method]


def _index(document: dict[str, Any]) -> Iterator[str]:
    yield "| call | does |"
    yield "| --- | --- |"
    for method, path, operation in _each(document):
        yield f"| [`{method} {path}`](#{operation['operationId']}) | {operation['summary']} |"
    yield ""


def _operations(document: dict[str, Any]) -> Iterator[str]:
    for method, path, operation in _each(document):
        yield f'<a id="{operation["operationId"]}"></a>'
        yield ""
        yield f"## {operation['summary']}"
        yield ""
        who = "" if operation["security"] else " · *anyone*"
        deprecated = " · *deprecated*" if operation.get("deprecated") else ""
        yield f"`{method} {path}`{who}{deprecated}"
        yield ""
        if "description" in operation:
            yield operation["description"]
            yield ""
        yield from _inputs(operation)
        yield from _answers(operation)


def _inputs(operation: dict[str, Any]) -> Iterator[str]:
    if "requestBody" in operation:
        yield f"Body: {', '.join(_shape(*each) for each in operation['requestBody']['content'].items())}"
        yield ""
    queries = [each for each in operation["parameters"] if each["in"] == "query"]
    if queries:
        yield "| parameter | type | |"
        yield "| --- | --- | --- |"
        for each in queries:
            needed = "required" if each["required"] else ""
            about = each["schema"].get("description", "")
            yield f"| `{each['name']}` | {_type(each['schema'])} | {'; '.join(filter(None, (needed, about)))} |"
        yield ""


def _answers(operation: dict[str, Any]) -> Iterator[str]:
    yield "| answer | |"
    yield "| --- | --- |"
    for status, answer in operation["responses"].items():
        content = answer.get("content", {})
        refused = _REFUSALS if status >= "400" else ()
        shapes = ", ".join(_shape(media, each) for media, each in content.items() if media not in refused)
        yield f"| {status} | {answer['description']}{f': {shapes}' if shapes else ''} |"
    yield ""


def _shape(media: str, content: dict[str, Any]) -> str:
    return f"{_type(content['schema'])}{'' if media == 'application/json' else f' as `{media}`'}"


def _shapes(document: dict[str, Any]) -> Iterator[str]:
    yield "## Shapes"
    yield ""
    for name, schema in document["components"]["schemas"].items():
        yield f'<a id="{name.lower()}"></a>'
        yield ""
        yield f"### {name}"
        yield ""
        if "description" in schema:
            yield schema["description"]
            yield ""
        if "enum" in schema:
            yield _type(schema)
            yield ""
        elif schema.get("properties"):
            yield "| field | type | |"
            yield "| --- | --- | --- |"
            for field, part in schema["properties"].items():
                needed = "" if field in schema.get("required", ()) else "optional"
                about = part.get("description", "")
                yield f"| `{field}` | {_type(part)} | {'; '.join(filter(None, (needed, about)))} |"
            yield ""


def _type(schema: dict[str, Any]) -> str:
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
    words = [str(schema.get("type", "anything"))]
    words += [schema["format"]] if "format" in schema else []
    limits = {"minimum": "≥", "maximum": "≤", "maxLength": "length ≤"}
    words += [f"{sign} {schema[limit]}" for limit, sign in limits.items() if limit in schema]
    return ", ".join(words)
