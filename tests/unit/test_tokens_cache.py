"""Tokens of large sets are made once, and again where anything that decides them differs."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("torch")

import numpy as np
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.corpora import Example
from mtpeft.tasks import encoding, rendered_prompt, tokens, wording
from mtpeft.tasks.tokens import Ragged
from mtpeft.tuning import store
from mtpeft.tuning.tiny import train_tokenizer

TEXTS = ["int add(int a, int b) { return a + b; }", "void close() { stream.close(); }"]


@pytest.fixture
def counted(monkeypatch, tmp_path):
    monkeypatch.setattr(tokens, "LARGE", 1)
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    calls = []
    for module, name in ((encoding, "_tokens"), (store, "_made")):
        original = getattr(module, name)

        def made(*given, original=original):
            calls.append(1)
            return original(*given)

        monkeypatch.setattr(module, name, made)
    return calls


def examples(texts=TEXTS):
    return [
        Example(str(i), "vulnerability-detection", "c", {"code": t}, str(i))
        for i, t in enumerate(texts)
    ]


def test_heads_tokenize_once_for_all_seeds(counted):
    tokenizer, other = train_tokenizer(TEXTS, 300), train_tokenizer(TEXTS * 2, 280)
    task = "vulnerability-detection"
    first = encoding.encode(task, examples(), tokenizer, 16)
    again = encoding.encode(task, examples(), tokenizer, 16)
    assert len(counted) == 1 and first.sha256() == again.sha256()
    assert [list(row) for row in again.rows] == [list(row) for row in first.rows]
    assert isinstance(again.rows.values, np.memmap), "processes of a machine share the file"
    encoding.encode(task, examples(), tokenizer, 15)
    encoding.encode(task, examples(), other, 16)
    encoding.encode(task, examples(TEXTS[::-1]), tokenizer, 16)
    assert len(counted) == 4


def test_causal_models_tokenize_once_for_all_seeds(counted):
    tokenizer = train_tokenizer(TEXTS, 300)
    some = {
        "generation": [
            Example(str(i), "generation", "java", {"summary": "adds", "signature": ""}, t)
            for i, t in enumerate(TEXTS)
        ]
    }
    layout = {"joined": False, "longest": 400}
    first = store.tokenized(some, tokenizer, wording(), **layout)
    again = store.tokenized(some, tokenizer, wording(), **layout)
    assert len(counted) == 1 and first.tokens.tolist() == again.tokens.tolist()
    assert (first.sizes, first.names, first.dropped) == (again.sizes, again.names, again.dropped)
    store.tokenized(some, tokenizer, wording(), joined=False, longest=399)
    assert len(counted) == 2


def test_an_example_longer_than_a_row_is_left_out_whole_and_counted():
    """Cut short it would be a prompt that inference, which never cuts, does not ask."""
    tokenizer = train_tokenizer(TEXTS, 300)
    some = [
        Example(str(i), "generation", "java", {"summary": "adds " * n, "signature": ""}, TEXTS[0])
        for i, n in enumerate((1, 300))
    ]
    words, layout = wording(), {"joined": False, "longest": 300}
    made = store.tokenized({"generation": some}, tokenizer, words, **layout)
    asked = tokenizer(rendered_prompt(some[0], tokenizer, words))["input_ids"]
    assert made.tokens[: made.prompts[0]].tolist() == asked and made.dropped == 1 == len(made)
    with pytest.raises(MtpeftError, match="all 1 examples of generation have more than 300"):
        store.tokenized({"generation": some[1:]}, tokenizer, words, **layout)


def test_what_is_made_is_whole_or_absent(counted, monkeypatch, tmp_path):
    def killed(*_):
        raise KeyboardInterrupt

    tokenizer = train_tokenizer(TEXTS, 300)
    monkeypatch.setattr(tokens.np, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        encoding.encode("vulnerability-detection", examples(), tokenizer, 16)
    assert not [p for p in (tmp_path / "tokens").iterdir() if p.is_dir()]


def _damages():
    def each(change):
        return lambda folder: [change(p) for p in folder.glob("values.npy")]

    return {
        "cut short": each(lambda p: p.write_bytes(p.read_bytes()[:-8])),
        "empty": each(lambda p: p.write_bytes(b"")),
        "no array": each(lambda p: p.write_bytes(b"XX" + p.read_bytes()[2:])),
        "another token": each(lambda p: p.write_bytes(p.read_bytes()[:-4] + b"\1\1\1\1")),
        "gone": each(lambda p: p.unlink()),
        "one too many": lambda folder: (folder / "more.npy").write_bytes(b""),
        "no seal": lambda folder: (folder / tokens.SEAL).unlink(),
        "a broken seal": lambda folder: (folder / tokens.SEAL).write_text("{"),
        "a file": lambda folder: (shutil.rmtree(folder), folder.write_text("x")),
    }


@pytest.mark.parametrize("what", _damages())
def test_damaged_tokens_are_made_again(counted, tmp_path, capsys, what):
    tokenizer = train_tokenizer(TEXTS, 300)
    first = encoding.encode("vulnerability-detection", examples(), tokenizer, 16).sha256()
    (folder,) = (p for p in (tmp_path / "tokens").iterdir() if p.is_dir())
    _damages()[what](folder)
    for _ in range(2):
        again = encoding.encode("vulnerability-detection", examples(), tokenizer, 16)
        assert again.sha256() == first and len(counted) == 2
    assert f"{folder} is damaged" in capsys.readouterr().err


def test_a_cache_that_cannot_be_written_serves_what_it_has_and_stops_nothing(
    counted, monkeypatch, capsys
):
    tokenizer = train_tokenizer(TEXTS, 300)
    first = encoding.encode("vulnerability-detection", examples(), tokenizer, 16).sha256()

    def refused(*_, **__):
        raise MtpeftError("cannot lock: Read-only file system")

    monkeypatch.setattr(tokens, "held", refused)
    again = encoding.encode("vulnerability-detection", examples(), tokenizer, 16)
    assert again.sha256() == first and len(counted) == 1
    assert not capsys.readouterr().err
    encoding.encode("vulnerability-detection", examples(), tokenizer, 15)
    assert "not kept for the next start: cannot lock" in capsys.readouterr().err


def test_a_full_disk_costs_the_cache_and_not_the_run(counted, monkeypatch, tmp_path, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tokens.np, "save", full)
    made = encoding.encode("vulnerability-detection", examples(), train_tokenizer(TEXTS, 300), 16)
    assert len(made) == 2 and "No space left on device" in capsys.readouterr().err
    assert not [p for p in (tmp_path / "tokens").iterdir() if p.is_dir()]


def test_two_writers_tokenize_once(counted):
    """The second waits for the first, and takes what it made."""
    tokenizer = train_tokenizer(TEXTS, 300)

    def one(_):
        return encoding.encode("vulnerability-detection", examples(), tokenizer, 16).sha256()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(one, range(4)))) == 1
    assert len(counted) == 1


def test_a_million_pairs_fit_into_four_gigabytes():
    """BigCloneBench: 901,028 training pairs and 830,000 of validation and test, 512 tokens at most."""
    rows = Ragged.of([list(range(512))] * 100)
    assert (rows.values.nbytes + rows.offsets.nbytes) / 100 * 1_131_000 < 4e9
    assert rows[99] == list(range(512)) and len(rows[10:20]) == 10
    with pytest.raises(IndexError):
        rows[100]
