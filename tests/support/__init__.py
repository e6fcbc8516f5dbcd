"""What tests share: databases, people, emulators, and readers of what comes out."""
