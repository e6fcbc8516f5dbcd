"""Floors."""
