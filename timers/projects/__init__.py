"""The projects of a tenant: which of them count as one."""
