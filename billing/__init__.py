"""What is owed for a month: its closing, the usage told to the Marketplace, trials that end, and the records."""
