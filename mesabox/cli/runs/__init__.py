"""The record of every run: list, show, logs."""

EXAMPLES = ("mesabox runs list", "mesabox runs show 261123-151544-k3f9", "mesabox runs logs 261123-151544-k3f9")
