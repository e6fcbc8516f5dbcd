"""The people of a tenant: added, renamed, given roles, deactivated, and merged with their invitations."""
