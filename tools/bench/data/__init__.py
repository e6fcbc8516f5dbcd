"""The databases and emulators that the measurements stand on."""
