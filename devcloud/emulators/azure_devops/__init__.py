"""The emulator of Azure DevOps: a real server on loopback with work items, their revisions and its odd answers."""
