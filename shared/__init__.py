"""What every slice stands on; it imports none of them."""
