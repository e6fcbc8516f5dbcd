"""The commands `users …`: the people of a tenant, and roles set by an operator."""
