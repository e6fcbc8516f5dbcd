"""Time entries: made by timers and by hand, corrected, deleted; each version stays in the timer log."""
