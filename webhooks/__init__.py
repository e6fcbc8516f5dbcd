"""What Microsoft tells us of purchases: lifecycle events, the landing page, and the agreement of tenants that exist."""
