"""The commands `wall …`: row-level security as a second wall between tenants."""
