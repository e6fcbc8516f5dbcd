"""Generated documents: docs/api.md, docs/privacy.md and the schema of an export."""
