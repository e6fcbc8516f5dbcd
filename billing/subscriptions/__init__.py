"""Subscriptions: what was bought, where each event takes it, its price, and what its tenant then has."""
