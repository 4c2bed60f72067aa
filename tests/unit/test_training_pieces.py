"""Samplers, loss weights, metrics and the cost ledger of shared-module training."""

import importlib.util
import json
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.tasks.classification import binary_scores, ranks, reciprocal_rank, trivial
from mtpeft.tasks.encoding import TaskData, answers
from mtpeft.tuning.balancing import RULES, balancing
from mtpeft.tuning.balancing.famo import Famo
from mtpeft.tuning.balancing.gradients import CLASSES
from mtpeft.tuning.balancing.learnable import collapsed
from mtpeft.tuning.balancing.loss_proportional import LossProportional
from mtpeft.tuning.balancing.uncertainty import Uncertainty
from mtpeft.tuning.mixing.batches import (
    SAMPLERS,
    Drawn,
    Passes,
    Proportional,
    RoundRobin,
    sampler,
)

SIZES = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers(1, 40), min_size=1)
QUICK = settings(max_examples=40, deadline=None)


@QUICK
@given(size=st.integers(1, 50), batch=st.integers(1, 12), seed=st.integers(0, 99))
def test_every_example_comes_once_in_each_pass(size: int, batch: int, seed: int) -> None:
    passes = Passes("task", size, batch, seed)
    orders = []
    for _ in range(3):
        seen: list[int] = []
        while len(seen) < size:
            seen += passes.next()
        assert sorted(seen) == list(range(size))
        orders.append(tuple(seen))
    assert size < 8 or len(set(orders)) == 3, "passes are not shuffled anew"


@QUICK
@given(
    lengths=st.lists(st.integers(1, 400), min_size=1, max_size=300),
    batch=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_batches_of_like_length_still_show_every_example_once_and_pad_no_more(
    lengths: list[int], batch: int, seed: int
) -> None:
    def padded(passes: Passes) -> int:
        seen, total = [], 0
        while len(seen) < len(lengths):
            some = passes.next()
            assert 1 <= len(some) <= batch
            seen += some
            total += len(some) * max(lengths[i] for i in some)
        assert sorted(seen) == list(range(len(lengths)))
        return total

    grouped, plain = (
        Passes("task", len(lengths), batch, seed, lengths),
        Passes("task", len(lengths), batch, seed),
    )
    state = grouped.state()
    # Up to 50 batches are sorted together: these need no more padding than in any other order. The
    # last batch is the same.
    if len(lengths) <= 50 * batch:
        assert padded(grouped) <= padded(plain)
    again = Passes("task", len(lengths), batch, seed, lengths)
    again.restore(state)
    first = Passes("task", len(lengths), batch, seed, lengths)
    assert [again.next() for _ in range(5)] == [first.next() for _ in range(5)]


@QUICK
@given(sizes=SIZES, batch=st.integers(1, 9), seed=st.integers(0, 9))
def test_round_robin_takes_every_task_in_every_step_and_passes_the_largest_once(
    sizes: dict[str, int], batch: int, seed: int
) -> None:
    robin = RoundRobin(sizes, batch, seed)
    steps = [robin.next() for _ in range(robin.steps_per_epoch)]
    assert all(list(step) == list(sizes) for step in steps)
    largest = max(sizes, key=lambda task: sizes[task])
    assert sorted(i for step in steps for i in step[largest]) == list(range(sizes[largest]))


@QUICK
@given(sizes=SIZES, batch=st.integers(1, 9), seed=st.integers(0, 9))
def test_proportional_sees_every_example_of_every_task_once_an_epoch(
    sizes: dict[str, int], batch: int, seed: int
) -> None:
    one = Proportional(sizes, batch, seed)
    for _ in range(2):
        seen = Counter(
            (task, i)
            for _ in range(one.steps_per_epoch)
            for task, some in one.next().items()
            for i in some
        )
        assert seen == Counter({(task, i): 1 for task, size in sizes.items() for i in range(size)})


def test_drawn_tasks_follow_the_power_of_their_size() -> None:
    sizes = {"vul": 21854, "clone": 300000, "search": 251820, "flaky": 13081}
    drawn = Drawn(sizes, 32, 42, 1 / 0.3)
    assert drawn.p == pytest.approx([0.163, 0.358, 0.339, 0.140], abs=1e-3)
    assert drawn.steps_per_epoch == 18_337
    steps = [drawn.next() for _ in range(4000)]
    assert all(len(step) == 1 for step in steps)
    found = Counter(task for step in steps for task in step)
    for task, p in zip(sizes, drawn.p, strict=True):
        assert found[task] / 4000 == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / 4000))


@QUICK
@given(
    name=st.sampled_from(sorted(SAMPLERS)),
    sizes=SIZES,
    batch=st.integers(1, 5),
    done=st.integers(0, 60),
    seed=st.integers(0, 9),
)
def test_a_resumed_sampler_goes_on_with_the_next_batch(
    name: str, sizes: dict[str, int], batch: int, done: int, seed: int
) -> None:
    through, first, second = (sampler(name, sizes, batch, seed) for _ in range(3))
    expected = [through.next() for _ in range(done + 20)][done:]
    for _ in range(done):
        first.next()
    second.restore(json.loads(json.dumps(first.state())))
    assert [second.next() for _ in range(20)] == expected


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_stopped_task_is_left_out_and_keeps_its_place(name: str) -> None:
    made = sampler(name, {"a": 30, "b": 30, "c": 30}, 3, 0)
    place = made.passes["b"].state()
    seen = {task for _ in range(40) for task in made.next(frozenset({"b"}))}
    assert seen == {"a", "c"} and made.passes["b"].state() == place


def test_samplers_differ_by_seed_and_refuse_nonsense() -> None:
    assert RoundRobin({"a": 50}, 50, 1).next() != RoundRobin({"a": 50}, 50, 2).next()
    with pytest.raises(UnknownName, match="round-robin"):
        sampler("round-robbin", {"a": 1}, 1, 0)
    with pytest.raises(MtpeftError, match="0 examples"):
        RoundRobin({"a": 0}, 1, 0)


BOTH = np.array([3.0, 5.0])
ADAPTING = ["learnable-softmax", "loss-proportional", "uncertainty", "famo"]


@pytest.mark.parametrize("name", ["task-equal", *ADAPTING])
def test_first_shares_are_equal_and_a_restored_rule_goes_on_alike(name: str) -> None:
    one, other = balancing(name, 2), balancing(name, 2)
    assert len(set(one.shares(BOTH).tolist())) == 1
    for step in range(30):
        one.after_step(np.array([0.1 + 0.01 * step, 2.0]), 1e-2)
    one.after_epoch(np.array([0.1, 2.0]))
    other.restore(json.loads(json.dumps(one.state())))
    assert other.shares(BOTH).tolist() == one.shares(BOTH).tolist()
    assert other.weights().tolist() == one.weights().tolist()


@pytest.mark.parametrize("name", sorted(RULES.keys() - CLASSES.keys()))
def test_a_task_that_is_absent_has_no_share(name: str) -> None:
    rule = balancing(name, 2)
    rule.after_step(np.array([0.5, np.nan]), 1e-2)
    assert rule.shares(np.array([4.0, 0.0]))[1] == 0 and rule.shares(np.array([4.0, 0.0]))[0] > 0


def test_learnable_softmax_collapses_onto_the_easiest_task_and_equal_shares_do_not() -> None:
    learnable, equal = balancing("learnable-softmax", 2), balancing("task-equal", 2)
    history = []
    for _ in range(3_000):
        for rule in (learnable, equal):
            rule.after_step(np.array([0.65, 0.2]), 1e-2)
        history.append(learnable.weights()[1])
    assert history[0] > 0.5 and all(a <= b for a, b in zip(history[:-1], history[1:], strict=True))
    named = [dict(zip(("hard", "easy"), r.weights(), strict=True)) for r in (learnable, equal)]
    assert [collapsed(weights) for weights in named] == ["easy", ""]


def test_loss_proportional_weights_sum_to_the_number_of_tasks_and_favour_the_hard_one() -> None:
    rule = LossProportional(3)
    rule.after_epoch(np.array([0.6, 0.3, 0.1]))
    assert rule.weights() == pytest.approx([1.8, 0.9, 0.3])
    assert rule.shares(np.array([1, 0, 9])) == pytest.approx([0.9, 0, 0.15])
    rule.after_epoch(np.array([0.1, 0.1, np.nan]))
    assert rule.weights().sum() == pytest.approx(3) and rule.weights()[2] == pytest.approx(0.3)


def test_uncertainty_weights_tend_to_half_the_inverse_loss_and_saturate_at_e() -> None:
    rule = Uncertainty(2)
    for _ in range(5000):
        rule.after_step(np.array([0.4, 0.01]), 1e-3)
    assert rule.weights()[0] == pytest.approx(1 / (2 * 0.4), rel=0.02)
    assert rule.weights()[1] == pytest.approx(math.e)


def test_famo_gives_weight_to_the_task_that_stops_improving() -> None:
    rule = Famo(2)
    for step in range(200):
        rule.after_step(np.array([1.0, 0.99**step]), 1e-3)
    assert rule.weights()[0] > 0.5 > rule.weights()[1]


def test_metrics_agree_with_counting_by_hand() -> None:
    found = binary_scores([1, 1, 0, 0, 0], [1, 0, 1, 0, 0])
    assert found == pytest.approx(
        {"acc": 0.6, "precision": 0.5, "recall": 0.5, "f1": 0.5, "macro_f1": (0.5 + 2 / 3) / 2}
    )
    assert trivial([1] * 162 + [0] * 4199)["always yes"]["f1"] == pytest.approx(0.0716, abs=1e-4)
    assert trivial([1, 0, 0])["majority"]["acc"] == pytest.approx(2 / 3)
    with pytest.raises(ValueError):
        binary_scores([], [])


def test_ranks_count_ties_against_the_model_and_end_at_the_cut() -> None:
    assert reciprocal_rank(ranks(np.ones((4, 1)), np.ones((4, 1)))) == pytest.approx([0.25] * 4)
    codes = np.eye(3)
    assert list(ranks(codes, codes)) == [1, 1, 1] and list(
        ranks(codes[:2], codes[::-1], [2, 1])
    ) == [1, 1]
    assert list(reciprocal_rank(ranks(np.roll(codes, 1, axis=0), codes), cut=1)) == [0, 0, 0]


torch_only = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="group `train` is not installed"
)


def forward_flops(model: Any, batch: int, length: int) -> int:
    """2 × inputs × outputs for every row that passes a linear layer, and 2 × 2 × length² × width for
    attention of each layer.
    """
    import torch

    config, total, hooks = model.config, [0], []
    heads = config.num_attention_heads
    width = heads * getattr(config, "d_kv", config.hidden_size // heads)

    def count(module: Any, inputs: Any, output: Any) -> None:
        total[0] += 2 * output.numel() * module.in_features

    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            hooks.append(module.register_forward_hook(count))
    with torch.no_grad():
        ids = torch.full((batch, length), 7)
        model(input_ids=ids, attention_mask=torch.ones_like(ids))
    for hook in hooks:
        hook.remove()
    return total[0] + config.num_hidden_layers * 4 * batch * length**2 * width


@torch_only
@pytest.mark.parametrize("family", ["roberta", "modernbert", "t5", "llama", "qwen2"])
def test_counted_flops_are_those_of_the_matrix_products(family: str) -> None:
    import torch
    from shared_models import encoder
    from torch.utils.flop_counter import FlopCounterMode

    model = encoder(family)
    ids, expected = torch.randint(5, 60, (3, 12)), forward_flops(model, 3, 12)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(input_ids=ids, attention_mask=torch.ones_like(ids))
    assert counter.get_total_flops() == expected
    with FlopCounterMode(display=False) as counter:
        out = model(input_ids=ids, attention_mask=torch.ones_like(ids))
        pooler = out.pooler_output.pow(2).sum() if family == "roberta" else 0
        (out.last_hidden_state.pow(2).sum() + pooler).backward()
    assert counter.get_total_flops() == 3 * expected


@torch_only
def test_frozen_weights_cost_less_than_full_fine_tuning_and_more_than_inference() -> None:
    from shared_models import batch, encoder, shared
    from torch.utils.flop_counter import FlopCounterMode

    work = {}
    for name in ("serial_adapter", "lora", "fft"):
        model = shared("llama", name).train()
        with FlopCounterMode(display=False) as counter:
            model.loss("vulnerability-detection", batch()).backward()
        work[name] = counter.get_total_flops()
    forward = forward_flops(encoder("llama"), 4, 9)
    assert forward < work["lora"] < work["fft"] and work["fft"] >= 3 * forward
    assert work["serial_adapter"] < work["fft"]


@torch_only
def test_over_the_same_examples_frozen_weights_save_a_third_of_the_work_and_no_more() -> None:
    # Real sizes, no weights: the figures that table B5 prints.
    import torch
    from mtpeft.catalog import catalog
    from mtpeft.models.base import config_of, empty_encoder
    from mtpeft.models.methods import method_module
    from mtpeft.tuning.ledger import saving
    from mtpeft.tuning.settings import how, resolve
    from torch.utils.flop_counter import FlopCounterMode

    saved, full = [], 0.0
    for name in ("deepseek-coder-1.3b", "qwen2.5-coder-1.5b-base"):
        backbone = catalog().get("backbones", name)
        ids = torch.zeros((2, 512), dtype=torch.long, device="meta")
        for method in ("fft", "serial_adapter", "parallel_adapter", "lora"):
            given = how(resolve(catalog().get("runs", f"{name}/mt-{method}"), "faithful"))
            module = method_module(catalog().get("methods", method))
            encoder = empty_encoder(config_of(backbone), "meta")
            encoder = module.attach(encoder, backbone, given).encoder
            with FlopCounterMode(display=False) as counter:
                states = encoder(input_ids=ids, attention_mask=torch.ones_like(ids))
                states.last_hidden_state.sum().backward()
            if method == "fft":
                full = counter.get_total_flops()
            else:
                saved.append(saving(counter.get_total_flops(), full))
    assert (round(100 * min(saved), 1), round(100 * max(saved), 1)) == (31.6, 33.1)


@torch_only
def test_a_text_without_tokens_becomes_one_end_token() -> None:
    # 36 of FlakeFlagger's methods are empty; a decoder's mean over no positions would make the
    # whole loss NaN.
    from mtpeft.corpora import Example
    from mtpeft.tasks.encoding import encode
    from mtpeft.tuning.tiny import train_tokenizer
    from shared_models import shared

    tokenizer = train_tokenizer(["void test() { run(); }"], 300)
    examples = [
        Example(str(i), "flaky-detection", "java", {"code": code}, str(i))
        for i, code in enumerate(("", "void t() {}"))
    ]
    data = encode("flaky-detection", examples, tokenizer, 16)
    assert data.rows[0] == [tokenizer.eos_token_id] and len(data.rows[1]) > 1
    model = shared("qwen2", "serial_adapter")
    batch = data.batch([0, 1])
    assert math.isfinite(
        float(model.loss("vulnerability-detection", {**batch, "ids": batch["ids"].clamp(max=60)}))
    )


def test_code_that_occurs_twice_is_one_candidate_and_a_wrong_pair_asks_nothing() -> None:
    data = TaskData(
        "code-search", "ranking", list("abcd"), [[1]] * 4, [1, 1, 0, 1], [[5], [6], [7], [5]], 0
    )
    # Query d is nearest to codes a and d, which are the same; query a to code c, which is only in a
    # wrong pair.
    queries = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    codes = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    assert list(answers(data, np.stack([queries, codes], 1))) == [3, 1, 0, 1]


@torch_only
def test_what_a_model_says_stands_in_the_order_of_the_examples() -> None:
    import torch
    from mtpeft.models.shared import outputs
    from shared_models import shared

    rows = [[7] * length for length in (9, 2, 5, 2, 8)]
    data = TaskData("vulnerability-detection", "label", list("abcde"), rows, [0, 1, 0, 1, 0], [], 1)
    model = shared("llama", "serial_adapter")
    said = outputs(model, data, batch=2)[1]
    with torch.no_grad():
        alone = [
            float(model("vulnerability-detection", data.batch([i])).sigmoid()) for i in range(5)
        ]
    assert said == pytest.approx(alone, abs=1e-5)


@torch_only
def test_a_batch_is_padded_on_the_right_and_has_queries_before_codes() -> None:
    rows, codes = [[7], [8, 9]], [[5, 6, 4], [3]]
    data = TaskData("code-search", "ranking", ["a", "b"], rows, [1, 0], codes, 2)
    batch = data.batch([1, 0])
    assert batch["ids"].tolist() == [[8, 9, 2], [7, 2, 2], [3, 2, 2], [5, 6, 4]]
    assert batch["mask"].tolist() == [[1, 1, 0], [1, 0, 0], [1, 0, 0], [1, 1, 1]]
    assert batch["labels"].tolist() == [0, 1]


@pytest.mark.parametrize(("query", "refused"), [(79, False), (80, True)])
def test_a_query_that_is_longer_than_the_positions_is_refused_and_no_length_that_none_has(
    monkeypatch, query, refused
):
    from mtpeft.catalog import catalog
    from mtpeft.tasks import encoding

    made = TaskData("code-search", "ranking", ["a"], [[5] * query], [1], [[6] * 9], 0)
    monkeypatch.setattr(encoding, "load", lambda *_: [None])
    monkeypatch.setattr(encoding, "encode", lambda *_: made)
    run = catalog().runs["unixcoder-base/st-lora/code-search"]
    how = {"code_length": 64, "query_length": 128}
    if not refused:
        assert encoding.encoded(run, "own", "train", None, how, 79) == {"code-search": made}
        return
    with pytest.raises(MtpeftError, match="a query of code-search has 80 tokens") as said:
        encoding.encoded(run, "own", "train", None, how, 79)
    assert said.value.fix == "--set query_length=79"


def test_texts_that_fill_the_length_that_they_may_have_are_counted() -> None:
    from mtpeft.tuning.settings import Settings
    from mtpeft.tuning.stage import cut

    def rows(*lengths: int) -> list[list[int]]:
        return [[7] * length for length in lengths]

    label = TaskData("clone-detection", "label", list("abc"), rows(4, 5, 5), [0, 1, 0], [], 0)
    pairs = TaskData("code-search", "ranking", list("ab"), rows(3, 2), [1, 1], rows(5, 1), 0)
    short = TaskData("clone-detection", "label", ["a"], rows(4), [0], [], 0)
    data = {
        "train": {"clone-detection": label, "code-search": pairs},
        "test": {"clone-detection": short},
    }
    behind = "tokens or more; what is behind those is not read"
    assert cut(data, Settings(code_length=5, query_length=3)) == [
        f"2 of 3 texts of clone-detection (train) have 5 {behind}",
        f"1 of 2 queries of code-search (train) have 3 {behind}",
        f"1 of 2 codes of code-search (train) have 5 {behind}",
    ]
