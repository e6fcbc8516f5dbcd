"""The action log: actions of people in the product, recorded for their admins."""
