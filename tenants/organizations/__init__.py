"""The Azure DevOps organizations of a tenant, as admins manage them."""
