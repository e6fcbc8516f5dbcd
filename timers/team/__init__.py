"""Who is running what, as admins see it."""
