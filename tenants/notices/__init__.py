"""Notices on a tenant's pages: changes of roles, exports, erasures and purchases."""
