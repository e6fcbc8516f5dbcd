"""The emulator of the Azure Marketplace: a real server on loopback that sells, calls the webhook, and meters usage."""
