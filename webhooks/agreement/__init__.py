"""The agreement to a purchase for a tenant that exists: who may give it, and what it changes."""
