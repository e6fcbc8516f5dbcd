"""The database: engines and their dialects, tables, append-only records, and the second wall between tenants."""
