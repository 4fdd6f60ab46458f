"""What we know: settings and where each came from, paths, credentials."""
