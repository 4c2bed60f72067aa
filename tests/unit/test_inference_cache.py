"""Keys and values of a batch keep what transformers' own layers keep, token by token."""

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.train

from mtpeft.inference.batches import alike  # noqa: E402
from mtpeft.inference.cache import ROOM, Roomy, joined, keys_and_values, separable  # noqa: E402
from transformers import DynamicCache, LlamaConfig, Qwen2Config  # noqa: E402
from transformers.cache_utils import DynamicLayer  # noqa: E402


def same(ours: Roomy, theirs: DynamicLayer) -> None:
    assert torch.equal(ours.keys, theirs.keys) and torch.equal(ours.values, theirs.values)
    assert ours.get_seq_length() == theirs.get_seq_length()


@pytest.mark.parametrize("first", [1, 3, ROOM, 2 * ROOM + 1])
def test_tokens_are_kept_as_transformers_keeps_them(first):
    torch.manual_seed(0)
    with torch.inference_mode():
        ours, theirs = Roomy(), DynamicLayer()
        for length in [first, *[1] * (ROOM + 2), 5, *[1] * ROOM]:
            states = torch.randn(2, 4, 3, length, 8)
            found = ours.update(*states)
            for mine, right in zip(found, theirs.update(*states), strict=True):
                assert torch.equal(mine, right)
        same(ours, theirs)


@pytest.mark.parametrize("chosen", [[0, 2], [3, 2, 1, 0], [1, 1, 1, 1], [3]])
def test_answers_that_are_dropped_or_reordered_stay_dropped_and_reordered(chosen):
    torch.manual_seed(0)
    with torch.inference_mode():
        ours, theirs = Roomy(), DynamicLayer()
        for layer in (ours, theirs):
            layer.update(torch.arange(4 * 10.0).view(4, 1, 10, 1), torch.ones(4, 1, 10, 1))
            layer.batch_select_indices(torch.tensor(chosen))
        for _ in range(3):
            states = torch.randn(2, len(chosen), 1, 1, 1)
            ours.update(*states)
            theirs.update(*states)
            same(ours, theirs)


def test_what_was_taken_back_is_written_over():
    ours, theirs = Roomy(), DynamicLayer()
    for layer in (ours, theirs):
        layer.update(torch.arange(10.0).view(1, 1, 10, 1), torch.ones(1, 1, 10, 1))
        layer.crop(-4)
        layer.update(torch.full((1, 1, 2, 1), 7.0), torch.zeros(1, 1, 2, 1))
    same(ours, theirs)
    for layer in (ours, theirs):
        layer.reset()
        layer.update(torch.ones(1, 1, 2, 1), torch.ones(1, 1, 2, 1))
    same(ours, theirs)


def test_layers_with_a_window_stay_those_of_transformers():
    assert {type(x) for x in keys_and_values(LlamaConfig(num_hidden_layers=2)).layers} == {Roomy}
    mixed = Qwen2Config(
        num_hidden_layers=4, use_sliding_window=True, sliding_window=8, max_window_layers=2
    )
    own = [type(x) for x in DynamicCache(config=mixed).layers]
    assert [type(x) for x in keys_and_values(mixed).layers] == [Roomy, Roomy, *own[2:]]
    assert own[2] is not DynamicLayer


def test_prompts_of_about_one_length_are_read_together():
    assert alike([50, 100, 80, 79, 64]) == [[1, 2], [3, 4], [0]]
    assert alike([7, 7, 7]) == [[0, 1, 2]]


def test_a_cache_of_groups_is_padded_on_the_left_and_goes_on():
    config = LlamaConfig(num_hidden_layers=2)
    parts = []
    for rows, width in (([2, 0], 3), ([1], 1)):
        part = keys_and_values(config)
        for layer in part.layers:
            states = torch.tensor(rows).view(-1, 1, 1, 1) + torch.arange(1.0, width + 1).view(-1, 1)
            layer.update(states, -states)
        parts.append((rows, part))
    cache = joined(config, parts)
    assert separable(cache) and cache.get_seq_length() == 3
    for layer in cache.layers:
        layer.update(torch.full((3, 1, 1, 1), 9.0), torch.full((3, 1, 1, 1), -9.0))
        assert layer.keys[:, 0, :, 0].tolist() == [[1, 2, 3, 9], [0, 0, 2, 9], [3, 4, 5, 9]]
        assert torch.equal(layer.values, -layer.keys)


def test_read_in_groups_or_at_once_the_next_tokens_have_the_same_scores():
    torch.manual_seed(0)
    from mtpeft.inference.generate import _next_scores, _read
    from transformers import LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    model = LlamaForCausalLM(config).eval()
    lengths = torch.tensor([5, 12, 11, 2, 5])
    mask = (torch.arange(12) >= 12 - lengths[:, None]).long()
    ids = torch.randint(1, 50, (5, 12)) * mask
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.inference_mode():
        once = keys_and_values(config)
        expected = _next_scores(model, ids, mask, positions, once, [])
        found, cache = _read(model, ids, mask, positions, [])
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        further = (
            torch.ones(5, 1, dtype=torch.long),
            torch.cat([mask, mask.new_ones(5, 1)], 1),
            positions[:, -1:] + 1,
        )
        torch.testing.assert_close(
            _next_scores(model, *further, cache, []),
            _next_scores(model, *further, once, []),
            atol=1e-5,
            rtol=0,
        )


def test_layers_that_forget_are_read_at_once():
    config = Qwen2Config(
        num_hidden_layers=2, use_sliding_window=True, sliding_window=4, max_window_layers=1
    )
    assert not separable(keys_and_values(config))
    assert not separable(SimpleNamespace(layers=[]))
