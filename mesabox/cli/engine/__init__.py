"""The local engine: both services on this machine.

It starts by itself when a command needs it, and ends when it has been idle for a while.
"""

EXAMPLES = ("mesabox engine status", 'eval "$(mesabox engine env)"', "mesabox engine stop")
