"""Programs for developers: measurements, chaos runs, mutation tests and generated documents."""
