"""The database: engines and dialects, tables, append-only records, and row-level security."""
