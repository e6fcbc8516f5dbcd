"""The schema of an export is published, and a published version stays."""

import hashlib
import json
from pathlib import Path

import jsonschema_rs
import pytest

from privacy.export.section_store import SECTIONS
from privacy.export.writer import VERSION
from tools.docs.privacy import export_schema


DOCS = Path(__file__).resolve().parents[2] / "docs"
# Readers of exports rely on a published version: a new column is a new version, with its own line here.
PUBLISHED = {
    1: "2906d3889396798de87cf0384533f127aff680a326b0e7965f382b9b2825cd7b",
    4: "d582d535763e83fd68e97a5a84eae6425f2c2d91baee4df63d3c2739d23eb7d4",
}


def test_the_published_schema_has_the_format_of_the_code():
    published = json.loads(export_schema.path_of(DOCS).read_text())

    assert export_schema.format_of(published) == export_schema.format_of(export_schema.document())


def test_the_format_of_a_schema_has_every_field_and_type():
    """Only texts are left out: a field named title stays."""
    schema = {"title": "An export", "properties": {"title": {"type": "string", "description": "of a work item"}}}

    assert export_schema.format_of(schema) == {"properties": {"title": {"type": "string"}}}


@pytest.mark.parametrize("version", PUBLISHED)
def test_published_schema_versions_are_unchanged(version):
    published = (DOCS / f"export-{version}.schema.json").read_bytes()

    assert hashlib.sha256(published).hexdigest() == PUBLISHED[version]


def test_the_current_version_is_published():
    assert max(PUBLISHED) == VERSION


def test_another_format_does_not_replace_a_published_version(tmp_path, monkeypatch):
    export_schema.publish(tmp_path)
    before = export_schema.path_of(tmp_path).read_text()
    monkeypatch.setitem(SECTIONS, "more", SECTIONS["account"])
    with pytest.raises(export_schema.AlreadyPublished, match="raise VERSION"):
        export_schema.publish(tmp_path)

    assert export_schema.path_of(tmp_path).read_text() == before


def test_the_schema_is_a_schema_and_lists_every_field_of_every_section():
    document = export_schema.document()
    sections = document["properties"]["sections"]["properties"]
    fields = {name: each["properties"]["rows"]["items"]["properties"] for name, each in sections.items()}

    jsonschema_rs.meta.validate(document)
    assert {name: set(found) for name, found in fields.items()} == {
        name: set(section.fields) for name, section in SECTIONS.items()
    }
