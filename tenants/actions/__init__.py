"""The action log: people's actions in the product, put on record and shown to their admins."""
