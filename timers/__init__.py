"""Time on work items: running timers, entries, the log of both, and their hours in Completed Work."""
