"""Notices: changes of super admins, exports, erasures, purchases and restores."""
