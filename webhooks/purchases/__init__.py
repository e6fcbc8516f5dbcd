"""The HTTP API for the agreement to purchases."""
