"""What the daemon uses of this room. (``launch`` alone is lighter: the zygote should be forked with that in memory.)"""

from mesabox.engine.sandbox.launch import SandboxHost
from mesabox.engine.sandbox.process import Process
from mesabox.engine.sandbox.sandbox import Sandbox, SandboxGone
from mesabox.engine.sandbox.values import CannotIsolate, CannotStart, Ids, Limits, SandboxSpec

__all__ = [
    "CannotIsolate", "CannotStart", "Ids", "Limits", "Process", "Sandbox", "SandboxGone", "SandboxHost", "SandboxSpec",
]  # fmt: skip
