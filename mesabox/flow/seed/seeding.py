"""A mount made to hold exactly what a local folder holds, and Mesa with it.

What Mesa's tree has already is neither sent nor touched, so that seeding the same folder again changes nothing. The
rest travels as a tar on the stdin of one exec. What git tracks though it is ignored, the mount would keep to itself:
it goes to Mesa's API, after which the mount has it too.
"""

import asyncio
import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mesabox.clients.base import TreeEntry
from mesabox.errors import Failed, MesaboxError
from mesabox.flow import scripts
from mesabox.flow.patch.writing import blob_oid
from mesabox.flow.running.asking import ask
from mesabox.flow.seed.archive import opened, tar_of
from mesabox.flow.seed.source import Source, SourceFile
from mesabox.flow.services import Services
from mesabox.flow.settling import Tree, head_of, settled, tree_at

_REMOVE_LIMIT = 120.0
_QUIET = 10.0
_FILES_A_SECOND, _BYTES_A_SECOND = 100, 1 << 20
"""The slowest at which Mesa is waited for."""
_MOST_IN_A_REQUEST = 8 << 20


@dataclass(frozen=True, slots=True)
class Seeded:
    """sent, removed, unchanged: files. size: bytes that were sent. not_kept: in the mount, but Mesa ignores them."""

    sent: int
    removed: int
    unchanged: int
    size: int
    not_kept: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.sent or self.removed)


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be done. send: by tar; tell: by Mesa's API. clear: what is to go before, folders with all in them.

    emptied: folders that may go once they are empty, innermost first. removed: paths that Mesa's tree is to lose.
    """

    send: tuple[SourceFile, ...]
    tell: tuple[SourceFile, ...]
    clear: tuple[str, ...]
    emptied: tuple[str, ...]
    removed: tuple[str, ...]
    oids: Mapping[str, str]

    @property
    def size(self) -> int:
        return sum(file.size for file in (*self.send, *self.tell))


async def seed(
    services: Services,
    sprite: str,
    folder: str,
    source: Source,
    *,
    repo: str,
    bookmark: str,
    run: str,
    limit: float = 600.0,
) -> Seeded:
    """folder: the writable mount of ``repo`` at ``bookmark`` in the sprite, made by ``run``. limit: seconds for the
    sending.

    Returns when Mesa has all of it. An error names the step that it stopped at; what was done by then stays.
    """
    with _step(source, "reading what the repo has"):
        change = await head_of(services.repos, repo, bookmark)
        before = await tree_at(services.repos, repo, change.id) if change else {}
        work = await asyncio.to_thread(_planned, source, before)
    with _step(source, "removing what it does not have"):
        await _remove(services, sprite, folder, work)
    with _step(source, "sending its files"):
        if work.send:
            await _send(services, sprite, folder, run, source, work.send, limit)
    with _step(source, "waiting until Mesa has them"):
        await _wait(services, repo, bookmark, before, work)
    with _step(source, "telling Mesa of files that are tracked though ignored"):
        await _tell(services, repo, bookmark, source, work.tell)
    with _step(source, "looking at what arrived"):
        not_kept = await _missing(services, repo, bookmark, work)
    unchanged = len(source.files) - len(work.send) - len(work.tell)
    return Seeded(len(work.send) + len(work.tell), len(work.removed), unchanged, work.size, not_kept)


def _planned(source: Source, before: Tree) -> _Work:
    wanted = {file.path: file for file in source.files}
    oids = {path: _oid(source, file) for path, file in wanted.items() if _may_equal(file, before.get(path))}
    send = [file for path, file in wanted.items() if path not in oids or not _equal(file, oids[path], before[path])]
    told = [file for file in send if file.forced and file.kind == "file" and file.path not in before]
    removed = [path for path in before if path not in wanted]
    folders_before, folders = _folders(before), _folders(wanted)
    other_kinds = [f.path for f in send if f.path in before and before[f.path].type != f.kind]
    clear = [*removed, *other_kinds, *(folders_before & wanted.keys())]
    emptied = sorted(folders_before - folders - wanted.keys(), key=lambda path: (-path.count("/"), path))
    sent = tuple(file for file in send if file not in told)
    return _Work(sent, tuple(told), tuple(clear), tuple(emptied), tuple(removed), oids)


def _may_equal(file: SourceFile, there: TreeEntry | None) -> bool:
    return there is not None and there.size in (None, file.size)


def _equal(file: SourceFile, oid: str, there: TreeEntry) -> bool:
    return there.sha == oid and there.type == file.kind and there.mode in (None, file.mode)


def _oid(source: Source, file: SourceFile) -> str:
    return blob_oid(_content(source, file))


def _content(source: Source, file: SourceFile) -> bytes:
    if file.kind == "symlink":
        return file.target.encode()
    with opened(source, file) as fd, open(fd, "rb", closefd=False) as stream:
        return stream.read()


def _folders(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        while (path := path.rpartition("/")[0]) and path not in found:
            found.add(path)
    return found


async def _remove(services: Services, sprite: str, folder: str, work: _Work) -> None:
    for script, paths in ((scripts.REMOVE, work.clear), (scripts.REMOVE_EMPTY, work.emptied)):
        if not paths:
            continue
        listed = "".join(f"{path}\0" for path in paths).encode()
        words = scripts.sh(script, folder, str(len(listed)))
        done = await ask(services.sandboxes, sprite, words, stdin=listed, timeout=_REMOVE_LIMIT)
        if done.exit_code != 0:
            raise Failed("files in the mount cannot be removed", why=_why(done.stderr, done.exit_code))


async def _send(
    services: Services, sprite: str, folder: str, run: str, source: Source, files: Sequence[SourceFile], limit: float
) -> None:
    words = scripts.sh(scripts.UNPACK, folder, run)
    async with asyncio.timeout(limit):
        done = await ask(services.sandboxes, sprite, words, stdin=lambda: tar_of(source, files), timeout=2 * limit)
    if done.exit_code != 0:
        raise Failed("tar in the sprite failed", why=_why(done.stderr, done.exit_code), code="seed_failed")


async def _wait(services: Services, repo: str, bookmark: str, before: Tree, work: _Work) -> None:
    """Until each sent file is there and each removed one is not, or Mesa's commit has come to rest: what it ignores
    may be more than is known.
    """
    if not work.send and not work.removed:
        return
    limit = 10.0 + len(work.send) / _FILES_A_SECOND + work.size / _BYTES_A_SECOND
    change = await head_of(services.repos, repo, bookmark)
    arrived = _arrival(before, work)
    await settled(services.repos, repo, bookmark, change, arrived, quiet=_QUIET, limit=limit)


def _arrival(before: Tree, work: _Work) -> Callable[[Tree], bool]:
    def has(tree: Tree, file: SourceFile) -> bool:
        there, old = tree.get(file.path), before.get(file.path)
        if there is None or there.type != file.kind or not _fits(file, there):
            return False
        # of the same size as before: the content tells, by whatever the service calls its sha
        return (
            file.path not in work.oids
            or there.sha == work.oids[file.path]
            or (old is not None and there.sha != old.sha)
        )

    return lambda tree: all(has(tree, file) for file in work.send) and not any(path in tree for path in work.removed)


def _fits(file: SourceFile, there: TreeEntry) -> bool:
    return there.size in (None, file.size) and there.mode in (None, file.mode)


async def _tell(services: Services, repo: str, bookmark: str, source: Source, files: Sequence[SourceFile]) -> None:
    if not files:
        return
    change = await head_of(services.repos, repo, bookmark)
    if change is None:
        raise Failed("nothing of the folder is what Mesa keeps", why="every file in it is ignored", code="seed_empty")
    for some in _batches(files):
        edits = await asyncio.to_thread(lambda some=some: [_edit(source, file) for file in some])  # type: ignore[misc]
        change = await services.repos.update_change(repo, change.id, files=edits)


def _batches(files: Sequence[SourceFile]) -> Iterator[list[SourceFile]]:
    some: list[SourceFile] = []
    for file in files:
        if some and sum(one.size for one in some) + file.size > _MOST_IN_A_REQUEST:
            yield some
            some = []
        some.append(file)
    yield some


def _edit(source: Source, file: SourceFile) -> dict[str, str]:
    content = base64.b64encode(_content(source, file)).decode()
    return {"path": file.path, "content": content, "mode": file.mode}


async def _missing(services: Services, repo: str, bookmark: str, work: _Work) -> tuple[str, ...]:
    """The files that Mesa keeps no copy of. Failed when it has another content, or nothing at all."""
    wanted = (*work.send, *work.tell)
    if not wanted and not work.removed:
        return ()
    change = await head_of(services.repos, repo, bookmark)
    tree = await tree_at(services.repos, repo, change.id) if change else {}
    absent = tuple(file.path for file in wanted if file.path not in tree)
    wrong = [file.path for file in wanted if file.path in tree and not _fits(file, tree[file.path])]
    wrong += [path for path in work.removed if path in tree]
    if wrong or (wanted and len(absent) == len(wanted)):
        names = wrong or absent
        why = f"{', '.join(names[:5])}{' and more' if len(names) > 5 else ''} did not reach it in time"
        raise Failed("Mesa does not have what the mount holds", why=why, code="seed_incomplete")
    return absent


@contextmanager
def _step(source: Source, doing: str) -> Iterator[None]:
    """What fails inside says where the seeding stopped."""
    what = f"seeding from {source.folder} stopped at {doing}"
    try:
        yield
    except TimeoutError:
        raise Failed(what, why="it took too long", code="seed_timeout") from None
    except MesaboxError as error:
        why = f"{error.what}: {error.why}" if error.why else error.what
        raise type(error)(what, why=why, fix=error.fix, code=error.code, retryable=error.retryable) from error


def _why(output: bytes, exit_code: int | None) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1][-400:] if lines else f"exit {exit_code}"
