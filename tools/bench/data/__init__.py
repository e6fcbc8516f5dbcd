"""The databases and emulators of the benchmarks."""
