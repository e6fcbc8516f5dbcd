"""The vendor's command line. It works on the database; the app never imports it."""
