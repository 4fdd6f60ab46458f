"""The record of every run: list, show, logs, diff, apply, export."""

EXAMPLES = ("mesabox runs list", "mesabox runs show last", "mesabox runs diff last", "mesabox runs apply last")
