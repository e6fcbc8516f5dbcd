"""The faults: every kind of trouble, and what makes one after another."""
