"""Prompting and the judge against the package's own server, with a tiny model that knows nothing:
every request is accounted for, and what was answered is not asked again.
"""

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("uvicorn")

import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parent))
from mtpeft.corpora import Example
from mtpeft.smoke import served
from tiny_backbone import build

pytestmark = [pytest.mark.recipe, pytest.mark.train]
BACKBONE = "qwen2.5-coder-0.5b"
AMOUNT = served.Amount(3, (0, 1), 2, 3)


def made_up(corpus: str, task: str, split: str) -> list[Example]:
    """Six examples with whatever a task reads, half of them positive (a search has no others)."""
    names = ("code", "code1", "code2", "query")
    return [
        Example(
            f"{split}-{number}",
            task,
            "java",
            {name: f"int {name}{number}() {{ return {number}; }}" for name in names},
            "1" if task == served.SEARCH else str(number % 2),
        )
        for number in range(6)
    ]


def test_every_request_is_accounted_for_and_none_is_sent_twice(tmp_path, monkeypatch):
    torch.set_num_threads(1)
    build(tmp_path / "bases" / BACKBONE)
    monkeypatch.setenv("MTPEFT_BACKBONES", str(tmp_path / "bases"))
    monkeypatch.setattr(served, "default_corpus", lambda task: "smoke")
    monkeypatch.setattr(served, "load", made_up)
    served.run(BACKBONE, "smoke", AMOUNT, tmp_path)
    prompting = pd.read_csv(tmp_path / "prompting.csv")
    for task in served.QUESTIONS:
        rows = prompting[prompting.task == task]
        assert set(rows.shots) == {0, 1}
        assert (rows.examples + rows.infrastructure == 3).all() and (rows.not_asked == 0).all()
        strict = rows[rows.reading == "strict, answered only"]
        assert (strict.no_answer <= strict.examples).all()
        read = rows[(rows.reading == "strict, no answer is wrong") & (rows.examples > 0)]
        assert (read.acc_low <= read.acc).all() and (read.acc <= read.acc_high).all()
    search = prompting[prompting.task == served.SEARCH]
    assert (search.examples + search.infrastructure == 2).all()
    judged = pd.read_csv(tmp_path / "judge.csv")
    assert (judged.groupby("parser").n.sum() == 3).all() and (judged.of == 3).all()

    def answers():
        found = [p for p in (tmp_path / "answers").rglob("*.jsonl") if p.name != "judge.jsonl"]
        return {
            (p.name, record["instance_id"]): record.get("raw_output")
            for p in found
            for record in map(json.loads, p.read_text().splitlines())
            if not record.get("error")
        }

    before = answers()
    assert len(before) > 6
    again = served.run(BACKBONE, "smoke", AMOUNT, tmp_path)
    assert answers() == before and again in (0, 1)
    costs = pd.read_csv(tmp_path / "cost.csv").set_index("step").answers
    assert costs["flaky-detection 0-shot"] <= 3


def test_a_ratings_table_says_how_many_of_how_many():
    rated = {"content_adequacy": 4, "conciseness": 2, "fluency": 5}
    rows = served._rated("strict", [("ok", rated), ("unparseable", None), ("unparseable", None)])
    assert [(r["status"], r["n"], r["of"], r["fluency"]) for r in rows] == [
        ("ok", 1, 3, 5.0),
        ("unparseable", 2, 3, None),
    ]
