"""The kinds of faults, and the driver that injects them."""
