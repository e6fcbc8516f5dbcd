"""What is owed to the Marketplace's meter: told once, and known to have arrived."""
