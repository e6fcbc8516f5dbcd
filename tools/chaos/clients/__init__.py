"""The clients: people and buyers, and the history of their requests and responses."""
