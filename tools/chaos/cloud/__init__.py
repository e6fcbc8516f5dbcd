"""The local cloud of a run: databases, workers, clocks and TCP proxies."""
