"""Erasures of people, of their mentions in others' text, and of organizations."""
