"""Keys and values of a batch keep what transformers' own layers keep, token by token."""

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.train

from mtpeft.inference.cache import ROOM, Roomy, keys_and_values  # noqa: E402
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
