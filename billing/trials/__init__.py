"""The end of trials."""
