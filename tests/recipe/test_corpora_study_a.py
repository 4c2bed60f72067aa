"""The corpora of study A, where a mirror has them; the hub's layout with a small data set of our
own.
"""

import os

import pytest
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.corpora import derived, evaluation, hub
from mtpeft.corpora.manifest import manifest

mirrored = pytest.mark.skipif(
    not os.environ.get("MTPEFT_MIRROR"), reason="MTPEFT_MIRROR is not set"
)


@mirrored
def test_built_files_have_their_pinned_hashes(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    for name, entry in manifest().derived.items():
        if entry.sha256:
            assert derived.content_sha256(derived.built(name)) == entry.sha256, name


@mirrored
@pytest.mark.parametrize(
    "name, count",
    [
        ("generation-java", 184),
        ("generation-python", 190),
        ("summarization-java", 99),
        ("summarization-python", 100),
        ("translation-java-cs", 1000),
        ("translation-cs-java", 1000),
    ],
)
def test_evaluation_sets_have_the_sizes_of_the_study(name, count):
    assert len(evaluation(name)) == count == len({e.id for e in evaluation(name)})


def test_hub_data_sets_are_read_from_a_mirror_and_counted(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    import pandas as pd

    entry = manifest().hub["code-to-text/java"]
    folder = tmp_path / entry.repository / "0123" / "java"
    folder.mkdir(parents=True)
    pd.DataFrame({"code_tokens": [["a"], ["b"]], "docstring_tokens": [["A"], ["B"]]}).to_parquet(
        folder / "train-0-of-1.parquet"
    )
    monkeypatch.setenv("MTPEFT_MIRROR", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    with pytest.raises(MtpeftError, match="2 rows"):
        list(hub.rows(entry, "train"))
    small = type(entry)(**{**entry.__dict__, "rows": {"train": 2}})
    assert [list(row["code_tokens"]) for row in hub.rows(small, "train")] == [["a"], ["b"]]


def test_the_revision_of_a_hub_data_set_that_was_used_first_is_used_ever_after(
    tmp_path, monkeypatch
):
    pytest.importorskip("datasets")
    import pandas as pd

    entry = manifest().hub["code-to-text/java"]
    small = type(entry)(**{**entry.__dict__, "rows": {}})
    monkeypatch.setenv("MTPEFT_MIRROR", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")

    def mirrored_revision(name, token):
        folder = tmp_path / entry.repository / name / "java"
        folder.mkdir(parents=True)
        pd.DataFrame({"code_tokens": [[token]]}).to_parquet(folder / "train-0-of-1.parquet")

    mirrored_revision("0123", "a")
    assert [list(row["code_tokens"]) for row in hub.rows(small, "train")] == [["a"]]
    mirrored_revision("4567", "b")
    assert [list(row["code_tokens"]) for row in hub.rows(small, "train")] == [["a"]]
    with pytest.raises(MtpeftError, match="is now 4567") as refused:
        list(hub.rows(type(small)(**{**small.__dict__, "revision": "4567"}), "train"))
    assert "0123" in refused.value.expected


def test_a_derived_file_that_was_damaged_is_not_taken_for_the_one_built(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    monkeypatch.setitem(derived._BUILDERS, "generation/valid", lambda m: [])
    path = derived.built("generation/valid")
    path.write_text("damaged\n")
    assert derived.built("generation/valid").read_text() == ""
