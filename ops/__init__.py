"""The vendor's command line: what operators see and change, over the database alone. The app never imports it."""
