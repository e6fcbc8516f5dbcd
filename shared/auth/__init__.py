"""Who sends a request: Entra's access tokens, and the keys that they are signed with."""
