"""JSON schemas for client generators: without titles, and an optional field may be absent but is not null."""

from collections.abc import Iterable
from typing import Any, Final

from pydantic.alias_generators import to_pascal
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from shared.http.wire import WireModel


Json = dict[str, Any]
_REFERENCE: Final = "#/components/schemas/{model}"
_NULL: Final = {"type": "null"}


def query_schema(model: type[WireModel]) -> Json:
    """The schema of query parameters, with its own `$defs`."""
    schema = model.model_json_schema(by_alias=True, ref_template=_REFERENCE)
    return {**_simplify(schema), "$defs": {name: _simplify(each) for name, each in schema.get("$defs", {}).items()}}


def component_schemas(models: Iterable[tuple[type[WireModel], JsonSchemaMode]]) -> Json:
    """The schemas of bodies (`validation`) and responses (`serialization`), and of the models in them, by name."""
    _, schemas = models_json_schema(list(models), by_alias=True, ref_template=_REFERENCE)
    definitions: Json = {name: _simplify(each) for name, each in schemas["$defs"].items()}
    for definition in definitions.values():
        definition.get("properties", {}).update(_describe_defaults(definition))
    return definitions


def problem_schemas(codes: Iterable[str], problem: Json) -> Json:
    """A schema for each problem code: the schema of all problems, with this code alone."""
    return {
        f"{to_pascal(code)}Problem": {
            **problem,
            "description": f"Problem document of the error `{code}`",
            "properties": {**problem["properties"], "code": {"type": "string", "const": code}},
        }
        for code in codes
    }


def problem_reference(codes: Iterable[str]) -> Json:
    """One of the problems with these codes."""
    references = {code: reference(f"{to_pascal(code)}Problem") for code in codes}
    if len(references) == 1:
        return next(iter(references.values()))
    mapping = {code: each["$ref"] for code, each in references.items()}
    return {"oneOf": list(references.values()), "discriminator": {"propertyName": "code", "mapping": mapping}}


def reference(name: str) -> Json:
    return {"$ref": _REFERENCE.format(model=name)}


def _simplify(schema: Json) -> Json:
    """The schema of a model without titles. Unknown members of problems are allowed, as JSON Schema does by default."""
    result = {name: part for name, part in schema.items() if name != "title"}
    if result.get("additionalProperties") is True:
        del result["additionalProperties"]
    if "properties" in result:
        result["properties"] = {name: _field(part) for name, part in result["properties"].items()}
    return result


def _field(schema: Json) -> Json:
    """The schema of a field. With the default null, null means no value, and the field is simply left out."""
    result = {name: part for name, part in schema.items() if name != "title"}
    if result.get("default", ...) is not None:
        return result
    del result["default"]
    if "anyOf" not in result:
        return result
    others = [each for each in result.pop("anyOf") if each != _NULL]
    return {**others[0], **result} if len(others) == 1 else {"anyOf": others, **result}


def _describe_defaults(definition: Json) -> Json:
    """The fields that have a default, with it in the description: generators require fields with defaults."""
    fields = {}
    for name, schema in definition.get("properties", {}).items():
        if "default" in schema:
            rest = {key: part for key, part in schema.items() if key != "default"}
            default = "" if "const" in schema else f"`{schema['default']}` if omitted".replace("False", "false")
            text = "; ".join(filter(None, (schema.get("description"), default)))
            fields[name] = {**rest, **({"description": text} if text else {})}
    return fields
