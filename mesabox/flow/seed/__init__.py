"""A local folder, as git would take it, into a repo."""
