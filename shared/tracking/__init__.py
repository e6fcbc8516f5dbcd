"""What more than one slice must know of tracked time: the running timer and the time entry."""
