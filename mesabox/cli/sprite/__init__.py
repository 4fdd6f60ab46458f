"""Make, list and destroy sprites, and checkpoint them."""

EXAMPLES = ("mesabox sprite up builder", "mesabox sprite list", "mesabox sprite checkpoint create builder")
