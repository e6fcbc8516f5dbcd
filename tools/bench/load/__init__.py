"""The load, the servers it is put on, and the figures of its rounds."""
