"""The emulator of Microsoft Entra: a real OAuth server on loopback that signs real tokens for demo people."""
