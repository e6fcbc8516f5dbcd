"""The local cloud: the Functions host and the emulators of Microsoft's services. It is never deployed."""
