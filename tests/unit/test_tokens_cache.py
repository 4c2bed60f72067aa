"""Tokens of large sets are made once, and again where anything that decides them differs."""

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


def test_a_million_pairs_fit_into_four_gigabytes():
    """BigCloneBench: 901,028 training pairs and 830,000 of validation and test, 512 tokens at most."""
    rows = Ragged.of([list(range(512))] * 100)
    assert (rows.values.nbytes + rows.offsets.nbytes) / 100 * 1_131_000 < 4e9
    assert rows[99] == list(range(512)) and len(rows[10:20]) == 10
    with pytest.raises(IndexError):
        rows[100]
