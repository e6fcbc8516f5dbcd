"""The running timers of all users, for admins."""
