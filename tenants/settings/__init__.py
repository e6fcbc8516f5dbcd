"""The settings of a tenant, and its audit log."""
