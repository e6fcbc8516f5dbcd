"""The commands `restore …`: a database restored from a backup."""
