"""Erasure requests and their states, legal holds, and the list of erasures."""
