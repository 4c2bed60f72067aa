"""The scratch folder must be removed whatever is in it, and nothing beside it may be touched."""

import mmap
import os

import pytest
from mtpeft.sandbox import scratch
from mtpeft.sandbox.identity import Identity

ME = Identity(os.getuid(), os.getgid(), dedicated=False)


def test_a_deep_tree_overflows_the_cleaner(tmp_path):
    folder = scratch.create(str(tmp_path), ME, {})
    current = os.open(folder, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d" * 50, dir_fd=current)
        deeper = os.open("d" * 50, os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = deeper
    os.close(current)
    scratch.remove(folder)
    assert not os.path.exists(folder)


def test_the_cleaner_follows_a_link(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    folder = scratch.create(str(tmp_path), ME, {"a.py": "1"})
    os.symlink(outside, f"{folder}/link")
    os.mkdir(f"{folder}/inner")
    os.symlink(outside, f"{folder}/inner/link")
    os.link(outside / "kept", f"{folder}/hard")
    scratch.remove(folder)
    assert (outside / "kept").read_text() == "x" and os.listdir(tmp_path) == ["outside"]


def test_locked_folders_stay(tmp_path):
    folder = scratch.create(str(tmp_path), ME, {})
    os.makedirs(f"{folder}/a/b/c")
    for path in ("a/b/c", "a/b", "a", ""):
        os.chmod(f"{folder}/{path}", 0)
    scratch.remove(folder)
    assert os.listdir(tmp_path) == []


def test_use_is_not_counted_below_subfolders(tmp_path):
    folder = scratch.create(str(tmp_path), ME, {"a": "x" * 100000})
    os.makedirs(f"{folder}/b/c")
    with open(f"{folder}/b/c/d", "wb") as stream:
        stream.write(b"y" * 200000)
    found = scratch.use(folder, 1 << 30, 1000)
    assert found.entries == 4 and found.size >= 300000


def test_counting_goes_on_beyond_the_limit(tmp_path):
    folder = scratch.create(str(tmp_path), ME, {f"f{n}": "" for n in range(50)})
    assert scratch.use(folder, 1 << 30, 10).entries == 11


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", ".."])
def test_a_source_file_is_written_elsewhere(tmp_path, name):
    with pytest.raises(ValueError):
        scratch.create(str(tmp_path), ME, {name: ""})


def test_a_full_disk_is_not_noticed_beforehand(tmp_path):
    with pytest.raises(scratch.NoSpace):
        scratch.check_space(str(tmp_path), 1 << 60, 1)


def test_a_file_with_many_names_counts_many_times(tmp_path):
    folder = scratch.create(str(tmp_path), ME, {"a": "x" * 1_000_000})
    for number in range(20):
        os.link(f"{folder}/a", f"{folder}/b{number}")
    found = scratch.use(folder, 1 << 30, 1000)
    assert found.entries == 21 and 1_000_000 <= found.size < 2_000_000


def test_folders_beyond_the_first_are_never_listed(tmp_path):
    folder = scratch.create(str(tmp_path), ME, {})
    for number in range(700):
        os.mkdir(f"{folder}/{number}")
        with open(f"{folder}/{number}/file", "wb") as stream:
            stream.write(b"x" * 4096)
    assert scratch.use(folder, 1 << 40, 10_000).size >= 700 * 4096


def test_a_deleted_file_hides_in_a_mapping(tmp_path):
    with open(tmp_path / "file", "wb+") as stream:
        stream.write(b"x" * 8192)
        stream.flush()
        held = mmap.mmap(stream.fileno(), 4096)
    os.unlink(tmp_path / "file")
    assert scratch.deleted_mapped_files(os.getpid(), str(tmp_path)) == 1
    held.close()
    assert scratch.deleted_mapped_files(os.getpid(), str(tmp_path)) == 0
