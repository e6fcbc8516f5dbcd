"""Billing: subscriptions, month closes and their bills, usage reported to the Marketplace, trials."""
