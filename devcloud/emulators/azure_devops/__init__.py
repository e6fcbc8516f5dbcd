"""The emulator of Azure DevOps: a server on loopback with work items, revisions and the service's odd responses."""
