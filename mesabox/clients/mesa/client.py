"""Mesa's REST API (wire/mesa §2), with an API key or with a private key."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from mesabox.clients.base import Bookmark, Change, Diff, Identity, Key, Repo, TreeEntry
from mesabox.clients.mesa import replies
from mesabox.clients.mesa.credentials import MesaCredential, SigningKey
from mesabox.clients.mesa.signed import LONGEST, signed_key
from mesabox.clients.transport import Transport
from mesabox.errors import CredentialsProblem, NotFound, Unsupported

T = TypeVar("T")
Reader = Callable[[Mapping[str, Any]], T]

_PAGE = 100


class MesaClient:
    """signing: the private key that mints when the service no longer does; tell is told when that happens."""

    def __init__(
        self,
        http: Transport,
        credential: MesaCredential,
        *,
        org: str | None = None,
        signing: SigningKey | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        own = credential if isinstance(credential, SigningKey) else None
        self._http = http
        self._mints_here = own is not None
        self._signing = own or signing
        self._org = org or (own.org if own else None)
        self._tell = tell

    async def whoami(self) -> Identity:
        return await self._json(replies.identity, "GET", "/whoami", "this credential")

    async def org(self) -> str:
        if self._org is None:
            self._org = (await self.whoami()).org
        return self._org

    async def create_repo(
        self, name: str | None, *, default_bookmark: str | None = None, tags: Mapping[str, str] | None = None
    ) -> Repo:
        body = _given(name=name, default_bookmark=default_bookmark, tags=tags)
        return await self._json(replies.repo, "POST", await self._path("repos"), f"repo {name!r}", json=body)

    async def repo(self, name: str) -> Repo:
        return await self._json(replies.repo, "GET", await self._path(name), f"repo {name!r}")

    async def repos(self) -> AsyncIterator[Repo]:
        async for repo in self._pages(replies.repo, await self._path("repos"), "repos"):
            yield repo

    async def delete_repo(self, name: str) -> None:
        await self._http.send("DELETE", await self._path(name), subject=f"repo {name!r}")

    async def mint_key(
        self,
        *,
        name: str,
        scopes: Sequence[str],
        ttl: float | None,
        repos: Sequence[Repo] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Key:
        """ttl in seconds; None never ends (a signed token: its longest). repos None: the whole organization."""
        if self._mints_here:
            return await self._sign_key(name, scopes, ttl, repos)
        body = _given(
            name=name,
            scopes=list(scopes),
            expires_in_seconds=None if ttl is None else int(ttl),
            repo_ids=None if repos is None else [repo.id for repo in repos],
            tags=tags,
        )
        try:
            return await self._json(replies.key, "POST", await self._path("api-keys"), "a new key", json=body)
        except (NotFound, CredentialsProblem) as refusal:
            if self._signing is None and isinstance(refusal, CredentialsProblem):
                raise
            if self._signing is None:
                fix = "set MESA_PRIVATE_KEY, with which tokens are signed instead"
                raise Unsupported("Mesa mints no key for this credential", why=refusal.why, fix=fix) from None
            self._tell(f"Mesa mints no key for this credential ({refusal.why}): signing a token with MESA_PRIVATE_KEY")
            return await self._sign_key(name, scopes, ttl, repos)

    async def keys(self) -> AsyncIterator[Key]:
        async for key in self._pages(replies.key, await self._path("api-keys"), "api_keys", status="all"):
            yield key

    async def revoke_key(self, key_id: str) -> None:
        await self._http.send("DELETE", await self._path("api-keys", key_id), subject=f"key {key_id!r}")

    async def bookmarks(self, repo: str) -> AsyncIterator[Bookmark]:
        async for bookmark in self._pages(replies.bookmark, await self._path(repo, "bookmarks"), "bookmarks"):
            yield bookmark

    async def bookmark(self, repo: str, name: str) -> Bookmark:
        path = await self._path(repo, "bookmarks", name)
        return await self._json(replies.bookmark, "GET", path, _bookmark(repo, name))

    async def create_bookmark(self, repo: str, name: str, change_id: str) -> Bookmark:
        path, body = await self._path(repo, "bookmarks"), {"name": name, "change_id": change_id}
        return await self._json(replies.bookmark, "POST", path, _bookmark(repo, name), json=body)

    async def move_bookmark(self, repo: str, name: str, change_id: str, *, allow_backwards: bool = False) -> Bookmark:
        # Older services know no allow_backwards (wire/mesa §2.7): it is sent only where it is meant.
        body = _given(change_id=change_id, allow_backwards=allow_backwards or None)
        path = await self._path(repo, "bookmarks", name)
        return await self._json(replies.bookmark, "PATCH", path, _bookmark(repo, name), json=body)

    async def delete_bookmark(self, repo: str, name: str) -> None:
        await self._http.send("DELETE", await self._path(repo, "bookmarks", name), subject=_bookmark(repo, name))

    async def changes(self, repo: str, *, bookmark: str | None = None) -> AsyncIterator[Change]:
        path = await self._path(repo, "changes")
        async for change in self._pages(replies.change, path, "changes", **_given(bookmark=bookmark)):
            yield change

    async def change(self, repo: str, change_id: str) -> Change:
        path = await self._path(repo, "changes", change_id)
        return await self._json(replies.change, "GET", path, f"change {change_id} in repo {repo!r}")

    async def create_change(
        self, repo: str, base_change_id: str, *, message: str = "", files: Sequence[Mapping[str, Any]] = ()
    ) -> Change:
        body = {"base_change_id": base_change_id, "message": message, **_given(files=list(files) or None)}
        return await self._json(
            replies.change, "POST", await self._path(repo, "changes"), f"change {base_change_id}", json=body
        )

    async def update_change(self, repo: str, change_id: str, *, files: Sequence[Mapping[str, Any]]) -> Change:
        path, subject = await self._path(repo, "changes", change_id), f"change {change_id} in repo {repo!r}"
        return await self._json(replies.change, "PATCH", path, subject, json={"files": list(files)})

    async def read_file(self, repo: str, path: str, *, change_id: str | None = None) -> bytes:
        response = await self._http.send(
            "GET",
            await self._path(repo, "content"),
            subject=f"file {path!r} in repo {repo!r}",
            params=_given(path=path, change_id=change_id),
            headers={"Accept": "application/octet-stream"},
        )
        return response.content

    async def tree(self, repo: str, path: str = "", *, change_id: str | None = None, depth: int = 1) -> list[TreeEntry]:
        """A file is a list of itself."""
        params = _given(path=path or None, change_id=change_id, depth=depth)
        subject = f"folder {path!r} in repo {repo!r}"
        return await self._json(_entries, "GET", await self._path(repo, "content"), subject, params=params)

    async def diff(self, repo: str, base: str, head: str) -> Diff:
        params = {"base_change_id": base, "head_change_id": head}
        return await self._json(
            replies.diff, "GET", await self._path(repo, "diff"), _changes(repo, base, head), params=params
        )

    async def patch(self, repo: str, base: str, head: str) -> bytes:
        response = await self._http.send(
            "GET",
            await self._path(repo, "diff"),
            subject=_changes(repo, base, head),
            params={"base_change_id": base, "head_change_id": head},
            headers={"Accept": "text/plain"},
        )
        return response.content

    async def request(self, method: str, path: str, **options: Any) -> Any:
        return await self._http.json(method, path, subject=path, **options)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _sign_key(self, name: str, scopes: Sequence[str], ttl: float | None, repos: Sequence[Repo] | None) -> Key:
        assert self._signing is not None
        if ttl is None or ttl > LONGEST:
            self._tell(f"a signed token lives at most {LONGEST // 3600} hours")
        every = [repo async for repo in self.repos()] if repos is None and "admin" not in scopes else repos or ()
        return signed_key(self._signing.key, name=name, scopes=scopes, ttl=ttl, repos=every)

    async def _path(self, *names: str) -> str:
        """Below the organization; each name is encoded whole, since Mesa routes on the raw path (wire/mesa §2.0)."""
        return "/" + "/".join(quote(name, safe="") for name in (await self.org(), *names))

    async def _json(self, read: Reader[T], method: str, path: str, subject: str, **options: Any) -> T:
        return self._read(read, await self._http.json(method, path, subject=subject, **options), subject)

    async def _pages(self, read: Reader[T], path: str, field: str, **params: Any) -> AsyncIterator[T]:
        cursor: str | None = None
        while True:
            query = {**params, "limit": _PAGE, **_given(cursor=cursor)}
            page = await self._http.json("GET", path, subject=field, params=query)
            for body in self._read(lambda page: page[field], page, field):
                yield self._read(read, body, field)
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def _read(self, read: Reader[T], body: Any, subject: str) -> T:
        try:
            return read(body)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._http.misunderstood(subject) from None


def _entries(body: Mapping[str, Any]) -> list[TreeEntry]:
    return [replies.tree_entry(entry) for entry in (body["entries"] if body["type"] == "dir" else [body])]


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _bookmark(repo: str, name: str) -> str:
    return f"bookmark {name!r} in repo {repo!r}"


def _changes(repo: str, base: str, head: str) -> str:
    return f"changes {base} and {head} in repo {repo!r}"
