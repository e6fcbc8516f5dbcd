"""What a tenant pays for: the state of its subscription, moved to what Microsoft holds, event by event."""
