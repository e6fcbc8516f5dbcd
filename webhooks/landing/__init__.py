"""The landing page: the way in over Entra, the page of a purchase in each state, and its confirmation."""
