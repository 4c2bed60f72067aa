"""Gradients of single tasks in real runs: what is logged of them, and rules that combine them."""

import importlib.util
import itertools
import sys
from dataclasses import replace
from pathlib import Path

import pytest

if importlib.util.find_spec("torch") is None:
    pytest.skip("the group `train` is not installed (make .venv/.train)", allow_module_level=True)

import torch

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from mtpeft.core.errors import MtpeftError
from mtpeft.core.provenance import sha256
from mtpeft.corpora.analysis import own
from mtpeft.tasks.encoding import encode, head_of
from mtpeft.tuning.balancing import balancing
from mtpeft.tuning.balancing.gradients import Aggregated
from mtpeft.tuning.objective.heads import fit
from mtpeft.tuning.settings import how
from mtpeft.tuning.tiny import train_tokenizer
from mtpeft.tuning.train import train
from shared_models import TINY, method, tiny
from test_training import curve, losses
from tiny_backbone import TASKS, build, job

pytestmark = [pytest.mark.recipe, pytest.mark.train]
PAIRS = [f"conflict_{a}_{b}" for a, b in itertools.combinations(TASKS, 2)]
QUICK = {"lora_dropout": 0.1, "count": 3, "packing": "isolated"}


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    return build(tmp_path_factory.mktemp("backbone"))


class Sum(Aggregated):
    """The rows added up: what training on the sum of the tasks' mean losses does."""

    def __init__(self, tasks, **_):
        self.tasks, self.seen = tasks, []

    def combined(self, gradients):
        self.seen.append(len(gradients))
        return gradients.sum(0)


def weights(made):
    return sha256(next(made.result.glob("*.safetensors")))


def test_a_look_at_angles_changes_no_bit_of_the_training(backbone, tmp_path):
    plain = job(backbone, tmp_path / "plain", gradient_accumulation=2, **QUICK)
    seen = job(backbone, tmp_path / "seen", gradient_accumulation=2, conflict_every=2, **QUICK)
    assert [train(made) and weights(made) for made in (plain, seen)][0] == weights(seen)
    rows = curve(seen)
    looked = [any(row[name] for name in PAIRS) for row in rows]
    assert looked == [n % 2 == 0 for n in range(len(rows))] and any(looked)
    found = [float(row[name]) for row in rows for name in PAIRS if row[name]]
    assert all(-1 <= c <= 1 for c in found) and PAIRS[0] not in curve(plain)[0]


def test_gradients_of_tasks_added_up_are_the_gradient_of_all(backbone, tmp_path, monkeypatch):
    """In parts as well: every micro-batch has its share of each task."""
    exact = {**QUICK, "lora_dropout": 0.0, "gradient_accumulation": 2}
    one = job(backbone, tmp_path / "one", balancing="task-equal", **exact)
    train(one)
    rules = []

    def mean(name, tasks, **_):
        rules.append(Sum(tasks))
        rules[-1].shares = balancing("task-equal", tasks).shares
        return rules[-1]

    monkeypatch.setattr("mtpeft.tuning.objective.tokens.balancing", mean)
    many = job(backbone, tmp_path / "many", balancing="upgrad", **exact)
    train(many)
    assert losses(many) == pytest.approx(losses(one), abs=1e-5) and max(rules[0].seen) > 1


def heads(name, tmp_path, **changes):
    """A tiny run on two tasks, both in every step."""
    tasks = ("flaky-detection", "code-search")
    words = train_tokenizer(
        [t for k in tasks for e in own(k, "train") for t in e.inputs.values()], 300
    )
    data = {s: {t: encode(t, own(t, s), words, 40, 20) for t in tasks} for s in ("train", "valid")}
    from mtpeft.models.base import config_of, empty_encoder
    from mtpeft.models.shared import SharedModel

    backbone = tiny("llama", vocab_size=len(words), max_position_embeddings=64)
    given = {"epochs": 1, "mixing": "round-robin", "batch_size": 4, "balancing": name, **changes}
    settings = replace(TINY, **given)
    torch.manual_seed(0)
    model = SharedModel(
        empty_encoder(config_of(backbone), seed=0),
        backbone,
        method("lora"),
        {t: head_of(t) for t in tasks},
        how(settings),
    )
    return fit(model, data["train"], data["valid"], {}, settings, tmp_path), model


def test_heads_log_the_angle_and_train_on_the_same_bits(tmp_path):
    plain, first = heads("task-equal", tmp_path / "a")
    seen, second = heads("task-equal", tmp_path / "b", conflict_every=1)
    assert plain.history == seen.history
    same = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)
    head, *rows = (tmp_path / "b" / "loss_curve.csv").read_text().splitlines()
    at = head.split(",").index("conflict_flaky-detection_code-search")
    assert rows and all(-1 <= float(row.split(",")[at]) <= 1 for row in rows)


@pytest.mark.parametrize("name", ["pcgrad", "cagrad", "mgda", "upgrad"])
def test_both_objectives_train_with_combined_gradients(name, backbone, tmp_path):
    pytest.importorskip("torchjd", reason="the group `gradients` is not installed")
    outcome, _ = heads(name, tmp_path / "heads")
    assert outcome.best_epoch == 1
    made = job(backbone, tmp_path / "tokens", balancing=name, epochs=3, **QUICK)
    train(made)
    assert losses(made)[-1] < losses(made)[0]


def test_several_processes_are_refused(backbone, tmp_path, monkeypatch):
    monkeypatch.setattr("transformers.TrainingArguments.world_size", 2)
    with pytest.raises(MtpeftError, match="gradients of single tasks on 2 processes"):
        heads("task-equal", tmp_path, conflict_every=1)
