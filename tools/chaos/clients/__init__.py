"""The clients: people and buyers at work, and the history of what they asked for and were told."""
