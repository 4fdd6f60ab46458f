"""What happens: the chain from repo to teardown, its steps and their undo, and the record of it."""
