import os
import time

import pytest

from mesabox.engine.mesa.objects import Objects
from mesabox.engine.mounts.placing import Placer
from mesabox.engine.mounts.scan import Lower, Scanner
from mesabox.engine.removal import remove_folder
from mesabox.wire.mesa import EMPTY_TREE_OID
from mesabox.wire.mesa_ignore import Rules, is_ignored


@pytest.fixture
def objects(tmp_path):
    Objects.create(tmp_path / "r.git")
    return Objects(tmp_path / "r.git")


@pytest.fixture
def upper(tmp_path):
    folder = tmp_path / "upper"
    folder.mkdir()
    return folder


@pytest.fixture
def scan(objects, upper):
    scanner = Scanner(os.open(upper, os.O_RDONLY), userxattr=True)
    return lambda **options: scanner.scan(Lower(objects, EMPTY_TREE_OID, EMPTY_TREE_OID), **options)


def test_an_altered_file_is_read_again_even_with_its_old_time(scan, upper, objects):
    file = upper / "a"
    file.write_text("one")
    os.utime(file, (1, 1))
    first = scan()["a"]
    file.write_text("two")
    os.utime(file, (1, 1))
    second = scan()["a"]
    assert [objects.blob(entry.oid) for entry in (first, second)] == [b"one", b"two"]


def test_an_unaltered_file_is_not_read_again(scan, upper, objects, monkeypatch):
    (upper / "a").write_text("one")
    time.sleep(0.03)
    before = scan()
    monkeypatch.setattr(objects, "write_blobs", lambda contents: [] if not contents else pytest.fail("read again"))
    assert scan() == before


def test_with_more_care_a_young_file_is_read_again(scan, upper, objects, monkeypatch):
    (upper / "a").write_text("one")
    time.sleep(0.03)
    scan()
    read = []
    monkeypatch.setattr(objects, "write_blobs", lambda contents: read.extend(contents) or ["0" * 40] * len(contents))
    scan(unchanged_for=10**9)
    assert read == [b"one"]


def test_names_that_no_tree_has_are_left_out(scan, upper):
    (upper / os.fsdecode(b"not-utf8-\xff")).write_text("x")
    (upper / "GIT~1").write_text("x")
    (upper / ".mesa-placing-1").write_text("x")
    deep = upper
    for _ in range(210):
        deep = deep / "d"
        deep.mkdir()
    (deep / "x").write_text("x")
    (upper / "fine\nname").write_text("x")
    assert list(scan()) == ["fine\nname"]


def test_a_large_file_is_read_in_pieces(scan, upper, objects):
    (upper / "large").write_bytes(b"0123456789" * 1_000_000)
    assert objects.size(scan()["large"].oid) == 10_000_000


@pytest.mark.parametrize(
    ("pattern", "path", "ignored"),
    [
        ("*.log", "a.log", True),
        ("*.log", "d/e/a.log", True),
        ("/a", "a", True),
        ("/a", "d/a", False),
        ("d/a", "x/d/a", False),
        ("d/*.c", "d/x.c", True),
        ("d/*.c", "d/e/x.c", False),
        ("**/d/a", "x/y/d/a", True),
        ("**/d/a", "d/a", True),
        ("d/**", "d/e/f", True),
        ("d/**", "d", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "a/x/bc", False),
        ("[ab].txt", "b.txt", True),
        ("[!ab].txt", "b.txt", False),
        ("[^ab].txt", "c.txt", True),
        (r"\#x", "#x", True),
        (r"\!x", "!x", True),
        (r"a\*", "a*", True),
        (r"a\*", "ab", False),
        ("# comment", "# comment", False),
        ("a  ", "a", True),
        ("[", "[", True),
        ("?", "é", True),
    ],
)
def test_gitignore_patterns(pattern, path, ignored):
    assert is_ignored([("", Rules(pattern))], path, is_folder=False) is ignored


def test_the_last_match_and_the_innermost_file_decide():
    outer, inner = Rules("*.log\n!keep.log\nbuild/\n"), Rules("!a.log\n")
    layers = [("", outer), ("d/", inner)]
    told = {path: is_ignored(layers, path, is_folder=False) for path in ("d/a.log", "d/b.log", "d/keep.log", "build")}
    assert told == {"d/a.log": False, "d/b.log": True, "d/keep.log": False, "build": False}
    assert is_ignored(layers, "build", is_folder=True)


def test_hostile_patterns_take_no_time():
    started = time.monotonic()
    rules = Rules("\n".join(["*a" * 100 + "b", "/".join(["**", "a*"] * 50), "[" * 500, "(" * 500, "a{1,9999}"]))
    rules.verdict("/".join(["a" * 250] * 15), is_folder=False)
    assert time.monotonic() - started < 2


def test_placing_leaves_alone_what_was_altered_meanwhile(objects, upper):
    base = objects.edit_tree(EMPTY_TREE_OID, {"a": entry(objects, "1"), "b": entry(objects, "1")})
    head = objects.edit_tree(base, {"a": entry(objects, "2"), "b": None, "c": entry(objects, "3")})
    root = os.open(upper, os.O_RDONLY)
    with Placer(root, objects, None) as placer:
        placer.check_out(base)
    (upper / "a").write_text("by hand")
    with Placer(root, objects, None) as placer:
        placer.apply(objects.changed_paths(base, head))
    assert {path.name: path.read_text() for path in upper.iterdir()} == {"a": "by hand", "c": "3"}


def entry(objects, text):
    from mesabox.engine.mesa.objects import Entry

    return Entry(objects.write_blob(text.encode()), 0o100644)


def test_removal_minds_neither_depth_nor_permissions(upper):
    place = os.open(upper, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=place)
        below = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(place)
    (upper / "locked").mkdir()
    (upper / "locked" / "x").write_text("x")
    (upper / "locked").chmod(0)
    (upper / "link").symlink_to("/")
    remove_folder(upper)
    assert not upper.exists()
    remove_folder(upper)
