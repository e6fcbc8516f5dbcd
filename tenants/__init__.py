"""People and their organization: sign-in, accounts, settings, and what is on record of both."""
