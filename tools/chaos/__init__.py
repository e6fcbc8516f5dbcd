"""Chaos: the whole product under real faults, clients that remember what they were told, and the two compared."""
