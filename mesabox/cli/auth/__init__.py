"""Credentials that are kept for you: login, status, logout."""

EXAMPLES = ("mesabox auth login sprites", "mesabox auth login mesa --with-token < key.txt", "mesabox auth status")
