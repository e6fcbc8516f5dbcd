"""Code that several slices use; imports no slice."""
