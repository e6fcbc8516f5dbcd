"""Privacy preferences of people: restriction, objection, withdrawal of consent, and the nominee."""
