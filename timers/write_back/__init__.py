"""Write back."""
