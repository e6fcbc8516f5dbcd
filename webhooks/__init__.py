"""Purchases in the Azure Marketplace: subscription events, the landing page, and the agreement of existing tenants."""
