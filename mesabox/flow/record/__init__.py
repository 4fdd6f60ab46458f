"""The record of runs: written ahead, read after any kill, followed while it grows."""
