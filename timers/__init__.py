"""Time on a work item: start, stop, the running timer, and the log of both."""
