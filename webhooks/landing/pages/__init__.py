"""The pages of the landing page: Python chooses a template of `landing/templates` and gives it its values."""
