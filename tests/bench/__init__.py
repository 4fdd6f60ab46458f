"""Figures of speed, each beside a named peer of the same run: ``python -m tests.bench [NAME...]``."""
