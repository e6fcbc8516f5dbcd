"""The write-back: the hours of entries, brought to Completed Work once."""
