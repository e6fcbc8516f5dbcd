"""The commands `privacy …`: erasures, exports, and what is kept how long."""
