"""The load generator, the measured servers, and the figures of the rounds."""
