"""Real Linux sandboxes with nothing but the standard library: the daemon's face is ``host.SandboxHost``."""
