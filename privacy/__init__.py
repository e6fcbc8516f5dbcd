"""Rights over personal data: erasure, export, restriction and objection, nominees; and retention."""
