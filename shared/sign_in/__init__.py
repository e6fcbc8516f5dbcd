"""How people sign in to pages of our own."""
