"""Requests for erasure: made, verified, held, withdrawn, and the list of who is erased."""
