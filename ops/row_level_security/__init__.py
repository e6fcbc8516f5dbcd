"""Row level security."""
