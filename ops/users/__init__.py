"""The commands `users …`: the people of a tenant, and the roles that only an operator may give."""
