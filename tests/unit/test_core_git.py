"""A fetched commit is whole or not there, whatever an earlier run left."""

import os
from pathlib import Path

import pytest
from mtpeft.core import git as fetcher
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.git import COMPLETE, address, checkout
from shared_git import committed


@pytest.fixture
def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A repository with two folders; → (its folder, the commit)."""
    for name, value in (("GIT_CONFIG_GLOBAL", "/dev/null"), ("OFFLINE", "")):
        monkeypatch.setenv(name, value)
    folder = tmp_path / "upstream"
    for name in ("scores/a.csv", "scores/b.csv", "other/c.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n")
    return folder.as_uri(), committed(folder)


def files(folder: Path) -> list[str]:
    return sorted(
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.is_file() and ".git" not in p.parts and p.name != COMPLETE
    )


def test_only_the_paths_asked_for_are_there(upstream, tmp_path):
    place = checkout(*upstream, tmp_path / "cache" / "x", ["scores"])
    assert files(place) == ["scores/a.csv", "scores/b.csv"]


def test_a_commit_named_by_its_first_digits_is_found_in_the_history(upstream, tmp_path):
    url, commit = upstream
    place = checkout(url, commit[:8], tmp_path / "x", ["scores"])
    assert files(place) == ["scores/a.csv", "scores/b.csv"]
    with pytest.raises(Unavailable, match="cannot be fetched"):
        checkout(url, "abcdef12", tmp_path / "y")


def test_a_fetch_that_was_cut_off_is_made_anew(upstream, tmp_path, monkeypatch):
    target, real = tmp_path / "cache" / "x", fetcher.git

    def cut(folder: Path, *arguments: str, **more: bytes) -> bytes:
        if arguments[0] == "checkout":
            (folder / "scores").mkdir()
            (folder / "scores" / "a.csv").write_text("half")
            raise KeyboardInterrupt
        return real(folder, *arguments, **more)

    monkeypatch.setattr(fetcher, "git", cut)
    with pytest.raises(KeyboardInterrupt):
        checkout(*upstream, target, ["scores"])
    assert not target.exists() and not [p for p in target.parent.iterdir() if p.is_dir()]
    monkeypatch.setattr(fetcher, "git", real)
    assert files(checkout(*upstream, target, ["scores"])) == ["scores/a.csv", "scores/b.csv"]


def test_half_a_checkout_of_an_older_run_does_not_count_as_there(upstream, tmp_path):
    target = tmp_path / "x"
    (target / "scores").mkdir(parents=True)
    (target / "scores" / "a.csv").write_text("half")
    assert files(checkout(*upstream, target, ["scores"])) == ["scores/a.csv", "scores/b.csv"]
    assert (target / "scores" / "a.csv").read_text() == "scores/a.csv\n"


def test_what_is_whole_is_not_fetched_again_and_other_paths_are(upstream, tmp_path, monkeypatch):
    target = checkout(*upstream, tmp_path / "x", ["scores"])
    real = fetcher.fetch_commit
    monkeypatch.setattr(fetcher, "fetch_commit", None)
    assert checkout(*upstream, target, ["scores"]) == target
    monkeypatch.setattr(fetcher, "fetch_commit", real)
    assert files(checkout(*upstream, target, ["other", "scores"])) == [
        "other/c.txt",
        "scores/a.csv",
        "scores/b.csv",
    ]


def test_a_repository_or_commit_that_is_not_there_is_unavailable(upstream, tmp_path):
    url, commit = upstream
    for wrong in ((f"{url}-not", commit), (url, "0" * 40)):
        with pytest.raises(Unavailable, match="cannot be fetched") as error:
            checkout(*wrong, tmp_path / "x")
        assert error.value.fix and not (tmp_path / "x").exists()


def test_a_path_that_the_commit_lacks_is_an_error(upstream, tmp_path):
    with pytest.raises(MtpeftError, match="pathspec 'nowhere'"):
        checkout(*upstream, tmp_path / "x", ["nowhere"])
    assert not (tmp_path / "x").exists()


def test_offline_nobody_is_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("OFFLINE", "1")
    with pytest.raises(Unavailable, match="OFFLINE=1"):
        checkout("owner/name", "0" * 40, tmp_path / "x")


def test_owner_and_name_are_an_address_of_the_host():
    assert address("a/b") == "https://github.com/a/b.git"
    assert address("/tmp/a/b") == "/tmp/a/b" and address("file:///a") == "file:///a"
    assert os.sep == "/"
