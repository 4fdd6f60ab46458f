"""Keep and bring back a sprite's files."""

EXAMPLES = ("mesabox sprite checkpoint create builder", "mesabox sprite checkpoint restore builder v1")
