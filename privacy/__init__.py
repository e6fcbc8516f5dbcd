"""The rights over data: requests, erasures, exports, restrictions, and what is kept how long."""
