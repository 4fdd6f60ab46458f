"""Who asks, and what they may do: the four kinds of credential, each resolved to one `Grant`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mesabox.engine.mesa.problems import forbidden, not_found
from mesabox.wire.mesa import Scope, common_scopes, permits
from mesabox.wire.mesa_tokens import Author


@dataclass(frozen=True, slots=True)
class Grant:
    """The effective rights of a credential, after every limit was applied.

    kind: how it was shown; a token signed with an API key cannot make further keys.
    repos: repo id -> the highest scope there; None for the whole organization. expires_at: Unix seconds.
    key_id: the API key or the registered public key behind it.
    """

    org: str
    kind: Literal["api key", "signed by api key", "private key"]
    key_id: str
    scopes: tuple[Scope, ...]
    key_name: str | None = None
    repos: Mapping[str, Scope] | None = None
    authors: tuple[Author, ...] = ()
    expires_at: float | None = None

    def scopes_in(self, repo_id: str) -> tuple[Scope, ...]:
        """Empty: the repo is out of reach, and must not even be seen."""
        if self.repos is None:
            return self.scopes
        return common_scopes(self.scopes, [self.repos[repo_id]]) if repo_id in self.repos else ()

    def require(self, scope: Scope, repo_id: str | None = None) -> None:
        """Problem 404 for a repo out of reach (no leak of its existence), 403 for a missing scope."""
        held = self.scopes if repo_id is None else self.scopes_in(repo_id)
        if repo_id is not None and not held:
            raise not_found("repository")
        if not permits(held, scope):
            raise forbidden(f"this credential lacks the scope '{scope}'")

    def require_whole_org(self, doing: str) -> None:
        if self.repos is not None:
            raise forbidden(f"a credential restricted to some repositories cannot {doing}")

    def identity(self) -> Author:
        """Whom a commit is by when nobody is named."""
        if self.authors:
            return self.authors[0]
        name = "".join(char for char in self.key_name or "" if char not in "<>\r\n\0").strip()
        return Author(name or "mesa", f"{self.key_id}@keys.mesa.invalid")


def restricted(repos: Mapping[str, Scope] | None, others: Mapping[str, Scope] | None) -> Mapping[str, Scope] | None:
    """What two restrictions leave: the repos in both, each with the smaller scope."""
    if repos is None or others is None:
        return others if repos is None else repos
    shared = {
        repo_id: common_scopes([scope], [others[repo_id]]) for repo_id, scope in repos.items() if repo_id in others
    }
    return {repo_id: scopes[-1] for repo_id, scopes in shared.items() if scopes}
