"""SQLite for the embedded shape."""
