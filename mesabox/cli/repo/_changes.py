"""Which change is meant: a change id, a bookmark's name, or nothing for the head of the default bookmark."""

from mesabox.clients.base import Repo, RepoHost
from mesabox.wire.mesa import parse_change_id


async def change_named(repos: RepoHost, repo: str, words: str) -> str:
    """A change id of either spelling, or the change that the bookmark of that name points at."""
    try:
        return parse_change_id(words)
    except ValueError:
        return (await repos.bookmark(repo, words)).change_id


async def base_of(repos: RepoHost, repo: Repo, head: str) -> str:
    """The change before: what a diff shows when only its end is given."""
    parents = (await repos.change(repo.name, head)).parents
    return parents[0] if parents else head
