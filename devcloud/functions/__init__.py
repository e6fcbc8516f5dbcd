"""The host of function apps: it indexes, routes, schedules and calls as Azure does."""
