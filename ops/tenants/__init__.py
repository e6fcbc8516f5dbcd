"""The commands `tenants …`: every tenant, and the terms of one."""
