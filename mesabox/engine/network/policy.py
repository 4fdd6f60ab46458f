"""What a sprite's network rules say about a name (wire: ``policy/network``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Rules = Sequence[Mapping[str, str]]

# What ``{"include": "defaults"}`` stands for: where code and packages are commonly fetched from.
DEFAULTS = (
    "github.com", "*.github.com", "*.githubusercontent.com", "gitlab.com", "*.gitlab.com", "bitbucket.org",
    "pypi.org", "*.pypi.org", "files.pythonhosted.org", "registry.npmjs.org", "*.npmjs.org", "nodejs.org",
    "registry.yarnpkg.com", "crates.io", "*.crates.io", "static.rust-lang.org", "proxy.golang.org", "sum.golang.org",
    "go.dev", "rubygems.org", "*.rubygems.org", "hex.pm", "*.hex.pm", "repo.maven.apache.org", "deb.debian.org",
    "*.debian.org", "*.ubuntu.com", "deb.nodesource.com", "ghcr.io", "*.docker.io", "*.docker.com", "mesa.dev",
    "*.mesa.dev", "sprites.dev", "*.sprites.dev", "api.anthropic.com", "api.openai.com",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Policy:
    """allowed: pattern -> whether. Without any rule all is allowed; with some, what none of them names is not."""

    allowed: Mapping[str, bool]

    @classmethod
    def from_rules(cls, rules: Rules) -> "Policy":
        allowed: dict[str, bool] = {}
        for rule in rules:
            if rule.get("include") == "defaults":
                allowed = {**dict.fromkeys(DEFAULTS, True), **allowed}
            elif domain := rule.get("domain"):
                allowed[normal(domain)] = rule.get("action") == "allow"
        return cls(allowed)

    @property
    def is_open(self) -> bool:
        """Whether addresses may be reached that no name led to."""
        return not self.allowed or self.allowed.get("*", False)

    def allows(self, name: str) -> bool:
        """The name itself counts before ``*.a.b``, that before ``*.b``, and ``*`` last."""
        if not self.allowed:
            return True
        labels = normal(name).split(".")
        wider = ["*." + ".".join(labels[start:]) for start in range(1, len(labels))]
        for pattern in (".".join(labels), *wider, "*"):
            if pattern in self.allowed:
                return self.allowed[pattern]
        return False


def normal(name: str) -> str:
    return name.rstrip(".").lower()
