"""The bench: what a request costs over HTTP beside the least it could cost, and where the time goes."""
