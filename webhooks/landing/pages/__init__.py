"""The pages of the landing page, built from elements in one look."""
