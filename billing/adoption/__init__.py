"""Usage that the meter has and a restored database had forgotten: found, and counted as sent."""
