"""Subscription events: the webhook of the Marketplace, and the daily comparison with Microsoft's list."""
