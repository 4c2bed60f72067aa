"""Batched greedy decoding with a key-value cache, through transformers.

Batches shrink while they run: a prompt that has ended leaves, so that the rest of the batch does
not wait for it with full width. Left padding; the padding is masked and positions start after it,
so an answer does not depend on the batch it was in beyond rounding (float32: the same tokens in
practice; a test compares them).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

CHECK = 16  # steps between shrinking: often enough to gain, seldom enough to cost nothing


@dataclass(frozen=True)
class Generated:
    """One answer.

    Attributes:
        text: What the model wrote.
        tokens: Of the answer.
        finish_reason: `stop` (an end token came) or `length` (the limit was reached).
    """

    text: str
    tokens: int
    finish_reason: str


def generate(
    model: Any,
    tokenizer: Any,
    prompts: list[str],
    new_tokens: int,
    input_tokens: int = 0,
    told: Callable[[list[list[int]]], None] | None = None,
    adapters: Sequence[str] = (),
) -> list[Generated]:
    """Answers to one batch of prompts, in their order.

    Args:
        model: A causal language model.
        tokenizer: Its tokenizer, padding on the left.
        prompts: The texts, chat template included.
        new_tokens: The most tokens of an answer.
        input_tokens: Prompts are cut to so many tokens (0: never).
        told: Called every `CHECK` steps with the tokens of each answer so far; what it raises ends
            the batch.
        adapters: PEFT's name of the adapter that answers each prompt; empty: the active one
            answers all.

    Raises:
        FloatingPointError: The model gave a score that is no number.
    """
    import torch

    encoded = tokenizer(
        prompts,
        return_tensors="pt",
        padding=True,
        add_special_tokens=False,
        **({"truncation": True, "max_length": input_tokens} if input_tokens else {}),
    )
    device = next(model.parameters()).device
    ends = end_tokens(getattr(model.generation_config, "eos_token_id", None), tokenizer)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        made = _greedy(
            model,
            encoded["input_ids"].to(device),
            encoded["attention_mask"].to(device),
            ends,
            tokenizer.pad_token_id,
            new_tokens,
            told,
            adapters,
        )
    if was_training:
        model.train()
    return [answered(tokens, ends, tokenizer) for tokens in made]


def answered(tokens: list[int], ends: set[int], tokenizer: Any) -> Generated:
    """An answer as a record: text, length, and why it ended.

    Args:
        tokens: What was generated; what comes after the first end token does not count.
        ends: The end tokens.
        tokenizer: Of the model.
    """
    length = next((n for n, token in enumerate(tokens, 1) if token in ends), 0)
    text = tokenizer.decode(tokens[: length - 1] if length else tokens, skip_special_tokens=True)
    return Generated(text, length or len(tokens), "stop" if length else "length")


def as_configured(
    model: Any, tokenizer: Any, prompts: list[str], new_tokens: int, input_tokens: int = 0
) -> list[Generated]:
    """Answers as a bare `model.generate(do_sample=False, max_new_tokens, eos_token_id,
    pad_token_id)` gives them; the parameters are those of `generate`.

    Everything else is what the model's generation_config says, a penalty on repetition for
    instance. It stops at the tokenizer's end token alone.

    Raises:
        FloatingPointError: The model gave a score that is no number.
    """
    import torch
    from transformers import LogitsProcessorList

    cut = {"truncation": True, "max_length": input_tokens} if input_tokens else {}
    encoded = tokenizer(
        prompts, return_tensors="pt", padding=True, add_special_tokens=False, **cut
    ).to(next(model.parameters()).device)
    end, padding, training = tokenizer.eos_token_id, tokenizer.pad_token_id, model.training
    seen = _Scores()
    model.eval()
    with torch.inference_mode():
        made = model.generate(
            input_ids=encoded["input_ids"],
            attention_mask=encoded["attention_mask"],
            do_sample=False,
            max_new_tokens=new_tokens,
            eos_token_id=end,
            pad_token_id=padding,
            use_cache=True,
            logits_processor=LogitsProcessorList([seen]),
        )
    model.train(training)
    seen.check()
    width = encoded["input_ids"].shape[1]
    return [answered(row, {end}, tokenizer) for row in made[:, width:].tolist()]


class _Scores:
    """Looks at the scores of each step; called as a processor of scores it leaves them alone."""

    def __init__(self) -> None:
        self._bad: Any = False

    def __call__(self, ids: Any, scores: Any) -> Any:
        # The largest of them is chosen; of scores with a NaN the largest is NaN.
        largest = scores.amax(-1)
        self._bad = (largest.isnan() | largest.isinf()).any() | self._bad
        return scores

    def check(self) -> None:
        """Raise where one was no number: an argmax over such scores is a word all the same."""
        if bool(self._bad):
            raise FloatingPointError("the model's scores are no finite numbers")


def texts(
    model: Any, tokenizer: Any, prompts: list[str], new_tokens: int, tokens_in_flight: int = 65536
) -> list[str]:
    """Answers to any number of prompts, in their order; batched by length.

    Args:
        model: A causal language model.
        tokenizer: Its tokenizer.
        prompts: The texts, chat template included.
        new_tokens: The most tokens of an answer.
        tokens_in_flight: As in `batches`.
    """
    from mtpeft.inference.batches import batches

    lengths = [len(ids) for ids in tokenizer(prompts, add_special_tokens=False)["input_ids"]]
    found: dict[int, str] = {}
    for batch in batches(lengths, new_tokens, tokens_in_flight):
        for i, answer in zip(
            batch, generate(model, tokenizer, [prompts[i] for i in batch], new_tokens), strict=True
        ):
            found[i] = answer.text
    return [found[i] for i in range(len(prompts))]


def end_tokens(configured: int | list[int] | None, tokenizer: Any) -> set[int]:
    """The tokens that end an answer.

    Args:
        configured: `eos_token_id` of the model's generation_config.
        tokenizer: Its own end token counts too.
    """
    ids = configured if isinstance(configured, list) else [configured]
    return {i for i in [*ids, tokenizer.eos_token_id] if i is not None}


def _agreed(tokens: Any) -> Any:
    """The first process's tokens, on each of several that train one model: where it is sharded, all of
    them have to take the same steps, and rounding may end an answer on one of them alone.
    """
    import torch

    together = torch.distributed
    if together.is_available() and together.is_initialized() and together.get_world_size() > 1:
        together.broadcast(tokens, src=0)
    return tokens


def _greedy(
    model: Any,
    ids: Any,
    mask: Any,
    ends: set[int],
    padding: int,
    new_tokens: int,
    told: Callable[[list[list[int]]], None] | None = None,
    adapters: Sequence[str] = (),
) -> list[list[int]]:
    """The tokens of each answer, each ended by its end token where one came.

    Args:
        model: A causal language model.
        ids: Shape [B, L], padded on the left.
        mask: 1 for a token, 0 for padding, shape [B, L].
        ends: The end tokens.
        padding: The padding token.
        new_tokens: The most tokens of an answer.
        told: As in `generate`.
        adapters: As in `generate`.
    """
    import torch

    rows = list(range(len(ids)))  # which prompt each live row belongs to
    made: list[list[int]] = [[] for _ in rows]
    end = torch.tensor(sorted(ends), device=ids.device)
    done = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    pending: list[Any] = []
    seen = _Scores()

    def settle() -> None:
        """Move the tokens of the last steps to their prompts, up to each one's end token."""
        if not pending:
            return
        for row, tokens in zip(rows, torch.stack(pending, 1).tolist(), strict=True):
            if not (made[row] and made[row][-1] in ends):
                first = next((n for n, t in enumerate(tokens, 1) if t in ends), len(tokens))
                made[row] += tokens[:first]
        pending.clear()

    for step in range(1, new_tokens + 1):
        if step == 1:
            scores, cache = _read(model, ids, mask, positions, adapters)
        else:
            scores = _next_scores(
                model, ids, mask, positions, cache, [adapters[r] for r in rows] if adapters else []
            )
        token = seen(ids, scores).argmax(-1)
        token = _agreed(torch.where(done, torch.full_like(token, padding), token))
        pending.append(token)
        done = done | torch.isin(token, end)
        if step == new_tokens:
            break
        if told and step % CHECK == 0:
            settle()
            told(made)
        if step % CHECK == 0 or len(rows) == 1:
            live = (~done).nonzero().flatten()
            if len(live) < len(rows):
                settle()
                if not len(live):
                    break
                # a few stragglers are cheap to carry; rebuilding the cache is worth it from a
                # quarter on
                if len(live) <= 0.75 * len(rows):
                    cache.batch_select_indices(live)
                    rows, token, mask, done = (
                        [rows[i] for i in live.tolist()],
                        token[live],
                        mask[live],
                        done[live],
                    )
                    positions = positions[live]
        ids = token[:, None]
        positions = positions[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
    settle()
    seen.check()
    return made


def _read(
    model: Any, ids: Any, mask: Any, positions: Any, adapters: Sequence[str]
) -> tuple[Any, Any]:
    """The scores of each answer's first token, shape [B, vocabulary], and keys and values of the prompts.

    Prompts are read in groups of about one length: a batch is as wide as its longest prompt, and on a
    CPU half of the work of a batch was to read padding. The parameters are those of `_greedy`.
    """
    from mtpeft.inference.batches import alike
    from mtpeft.inference.cache import joined, keys_and_values, separable

    cache = keys_and_values(model.config)
    groups = alike(mask.sum(-1).tolist())
    if len(groups) == 1 or not separable(cache):
        return _next_scores(model, ids, mask, positions, cache, adapters), cache
    parts, scores = [], None
    for some in groups:
        width = int(mask[some].sum(-1).max())
        part = keys_and_values(model.config)
        found = _next_scores(
            model,
            ids[some, -width:],
            mask[some, -width:],
            positions[some, -width:],
            part,
            [adapters[row] for row in some] if adapters else [],
        )
        scores = found.new_empty(len(ids), found.shape[-1]) if scores is None else scores
        scores[some] = found
        parts.append((some, part))
    return scores, joined(model.config, parts)


def _next_scores(
    model: Any, ids: Any, mask: Any, positions: Any, cache: Any, adapters: Sequence[str]
) -> Any:
    """The scores of each answer's next token, shape [B, vocabulary]; `cache` grows by `ids`.

    Args:
        model: A causal language model.
        ids: The tokens that it has not read yet, shape [B, T].
        mask: Of these and all before them, shape [B, L].
        positions: Of these, shape [B, T].
        cache: Keys and values of all before them.
        adapters: PEFT's name of each row's adapter, or empty.
    """
    out = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
        **({"adapter_names": list(adapters)} if adapters else {}),
    )
    return out.logits[:, -1]
