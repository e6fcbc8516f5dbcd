"""Bills as customers see them: records with their lines, the running month, and the statement as a PDF."""
