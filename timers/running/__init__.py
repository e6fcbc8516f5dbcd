"""The running timer: start, switch, stop, discard, also when reported late."""
