"""The running timer: start, switch, stop and discard it, also by late events of an offline client."""
