"""Tenants, users and callers, what a plan allows, and the Azure DevOps organizations of a tenant."""
