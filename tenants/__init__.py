"""Sign-in, and the start of a tenant: who a token belongs to, and the trial that makes room for them."""
