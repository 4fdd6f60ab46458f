"""See and begin the configuration."""

EXAMPLES = ("mesabox config show --origin", "mesabox config path", "mesabox config init")
