import subprocess

import pytest

from mesabox.engine.mesa.lines import Hunk, merge_texts, render, with_markers
from mesabox.engine.mesa.objects import Objects

BASE = b"1\n2\n3\n4\n5\n6\n"


def merged(target: bytes, source: bytes, base: bytes = BASE):
    segments = merge_texts(base, target, source)
    assert not any(isinstance(segment, Hunk) for segment in segments), segments
    return render(segments, with_markers)


def hunks(target: bytes, source: bytes, base: bytes = BASE):
    return [segment for segment in merge_texts(base, target, source) if isinstance(segment, Hunk)]


@pytest.mark.parametrize(
    ("target", "source", "result"),
    [
        (b"1\n2\n3\n4\n5\n6\nend\n", b"start\n1\n2\n3\n4\n5\n6\n", b"start\n1\n2\n3\n4\n5\n6\nend\n"),
        (b"1\nX\n3\n4\n5\n6\n", b"1\n2\n3\n4\n5\nY\n", b"1\nX\n3\n4\n5\nY\n"),
        (b"3\n4\n5\n6\n", b"1\n2\n3\n4\n", b"3\n4\n"),
        (b"1\nsame\n3\n4\n5\n6\n", b"1\nsame\n3\n4\n5\n6\n", b"1\nsame\n3\n4\n5\n6\n"),
        (b"1\na\nb\nc\n3\n4\n5\n6\n", b"1\n2\n3\n4\n6\n", b"1\na\nb\nc\n3\n4\n6\n"),
        (BASE, b"", b""),
        (b"1\r\n2\n3\n4\n5\n6\n", b"1\n2\n3\n4\n5\n6", b"1\r\n2\n3\n4\n5\n6"),
    ],
)
def test_edits_apart_from_each_other_are_both_kept(target, source, result):
    assert merged(target, source) == result
    assert merged(source, target) == result


def test_edits_of_the_same_lines_are_a_hunk():
    [hunk] = hunks(b"1\nX\n3\n4\n5\n6\n", b"0\n1\nY\n3\n4\n5\n6\n")
    assert (hunk.base, hunk.target, hunk.source) == ([b"2\n"], [b"X\n"], [b"Y\n"])
    assert (hunk.base_start, hunk.target_start) == (1, 1)


def test_neighbouring_edits_and_two_insertions_at_one_place_are_hunks():
    assert len(hunks(b"1\nX\n3\n4\n5\n6\n", b"1\n2\nY\n4\n5\n6\n")) == 1
    assert len(hunks(b"1\na\n2\n3\n4\n5\n6\n", b"1\nb\n2\n3\n4\n5\n6\n")) == 1
    assert len(hunks(b"x", b"y", b"")) == 1


def test_as_git_merges(tmp_path):
    """Where git finds no conflict we find the same text."""
    texts = [
        (b"a\nb\nc\nd\n", b"a\nB\nc\nd\n", b"a\nb\nc\nD\ne\n"),
        (b"\n".join(b"%d" % n for n in range(50)), b"\n".join(b"%d" % (n if n % 9 else -n) for n in range(50)), b"x\n"),
        (b"a\n\nb\n\nc\n", b"a\n\nb\n\nb\n\nc\n", b"\nb\n\nc\nd\n"),
    ]
    for base, target, source in texts:
        files = [tmp_path / name for name in ("target", "base", "source")]
        for file, text in zip(files, (target, base, source), strict=True):
            file.write_bytes(text)
        ran = subprocess.run(["git", "merge-file", "-p", *files], capture_output=True)
        if ran.returncode == 0:
            assert merged(target, source, base) == ran.stdout


def test_many_blobs_go_into_one_pack_that_git_accepts(tmp_path):
    Objects.create(tmp_path / "r.git")
    objects = Objects(tmp_path / "r.git")
    contents = [b"%d" % n * (n % 50) for n in range(500)] + [b"large" * 100_000, b""]
    oids = objects.write_blobs(contents)
    assert [objects.blob(oid) for oid in oids] == contents
    assert len(list((tmp_path / "r.git/objects/pack").glob("*.pack"))) == 1
    git = ["git", "-C", tmp_path / "r.git"]
    assert subprocess.run([*git, "fsck", "--full"], capture_output=True).returncode == 0
    [index] = (tmp_path / "r.git/objects/pack").glob("*.idx")
    assert subprocess.run([*git, "verify-pack", index]).returncode == 0
