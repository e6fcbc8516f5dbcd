"""The cloud of a run: databases, workers, clocks, and lines that can be cut."""
