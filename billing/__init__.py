"""What is paid: subscriptions, the months that are closed and their bills, usage told to the Marketplace, trials."""
