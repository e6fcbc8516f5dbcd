"""Authentication: Entra's access tokens and their signing keys."""
