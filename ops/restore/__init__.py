"""The commands `restore …`: a database that came back from a backup."""
