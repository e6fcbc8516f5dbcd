"""Sign-in: the start of a trial, the ways in, and who the caller is."""
