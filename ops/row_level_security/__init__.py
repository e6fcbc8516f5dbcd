"""The commands `rls …`: row-level security."""
