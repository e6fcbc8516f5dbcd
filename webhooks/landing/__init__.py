"""The landing page: sign-in at Entra, a page for each state of a purchase, and its confirmation."""
