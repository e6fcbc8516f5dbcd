"""The commands `privacy …`: erasures, exports and retention periods."""
