"""What the flow is given to work with: both services, and how they were reached."""

from dataclasses import dataclass

from mesabox.clients.base import RepoHost, SandboxHost
from mesabox.flow.record.runs import Where


@dataclass(frozen=True, slots=True)
class Services:
    repos: RepoHost
    sandboxes: SandboxHost
    where: Where
