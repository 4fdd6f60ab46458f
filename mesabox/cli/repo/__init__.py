"""Make, list and look into Mesa repos."""

EXAMPLES = ("mesabox repo create notes", "mesabox repo log notes", "mesabox repo cat notes README.md")
