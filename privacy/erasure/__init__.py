"""Erasures: of a person, of where others mention them, and of an organization."""
