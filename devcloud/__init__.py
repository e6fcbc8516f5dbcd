"""The local cloud: the Functions host and the stand-ins for outside services. It is never deployed."""
