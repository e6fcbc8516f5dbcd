"""The generated parts of docs/privacy.md, and the published JSON Schema of an export."""
