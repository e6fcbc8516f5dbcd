"""The emulators of Entra, Azure DevOps and the Marketplace, over real sockets."""
