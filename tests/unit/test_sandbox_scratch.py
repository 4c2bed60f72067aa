"""The scratch folder must be removed whatever is in it, and nothing beside it may be touched."""

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
