"""Mesa: versioned repos."""
