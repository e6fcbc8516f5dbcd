"""What the Marketplace brings: the landing page of a purchase, lifecycle events, and the daily comparison."""
