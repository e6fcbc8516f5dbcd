"""Requests exports, and validates each against the published schema."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from privacy.export.writer import VERSION
from tests.support.world import Answer, Person


SCHEMA = Path(__file__).resolve().parents[2] / "docs" / f"export-{VERSION}.schema.json"


@cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(json.loads(SCHEMA.read_text()), validate_formats=True)


def validate(document: Any) -> Any:  # noqa: ANN401 - any JSON
    """Returns the document; fails if it breaks the schema."""
    wrong = [f"{each.instance_path}: {each.message}" for each in _validator().iter_errors(document)]
    assert wrong == []
    return document


def export(person: Person, **params: str) -> Answer:
    """Requests an export; a JSON export is validated."""
    answer = person.get("privacy/export", **params)
    if answer.status == 200 and params.get("format", "json") == "json":
        validate(answer.body)
    return answer
