"""Invitations: accounts made by hand that wait for their person, and end when nobody comes."""
