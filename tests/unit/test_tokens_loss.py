"""The loss of tokens on models that change their logits, and what counts as a token."""

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from mtpeft.core.errors import MtpeftError
from mtpeft.tuning.loss import install
from mtpeft.tuning.plan import PADDED, collate


def gemma(cap):
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "head_dim": 8}
    more = {"vocab_size": 40, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = AutoConfig.for_model("gemma2", **sizes, **more, final_logit_softcapping=cap)
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(20)  # logits large enough for the cap to matter
    return model


def losses(cap):
    """The model's own mean loss, and ours."""
    model, ids = gemma(cap), torch.arange(24)[None] % 40
    with torch.no_grad():
        own = float(model(input_ids=ids, labels=ids, use_cache=False).loss)
        install(model)
        tasks, factors = torch.zeros_like(ids), torch.ones(1) / 23
        ours = model(input_ids=ids, labels=ids, token_tasks=tasks, task_factors=factors)["loss"]
    return own, float(ours)


def test_a_soft_cap_of_logits_is_the_models():
    capped, free = losses(2.0), losses(None)
    assert capped[1] == pytest.approx(capped[0], rel=1e-5)
    assert free[1] == pytest.approx(free[0], rel=1e-5)
    assert abs(capped[0] - free[0]) > 0.1, "the cap changes nothing here, so nothing was shown"


def test_a_model_that_scales_its_logits_is_refused():
    model = gemma(None)
    real = model.forward

    def scaled(*given, **named):
        out = real(*given, **named)
        out.logits = out.logits * 3
        return out

    model.forward = scaled
    with pytest.raises(MtpeftError, match="changes the scores"):
        install(model)


def test_end_marks_are_tokens_also_where_padding_is_the_end_token():
    """Three rows of 5, 3 and 2 tokens, each with an end mark that is the padding token, too."""
    rows = [
        {
            "input_ids": np.array([7] * (n - 1) + [0]),
            "labels": np.array([7] * (n - 1) + [0]),
            "position_ids": np.arange(n),
            "token_tasks": np.zeros(n, dtype=np.int64),
        }
        for n in (5, 3, 2)
    ]
    batch = collate(rows, padding=0)
    assert int((batch["token_tasks"] != PADDED).sum()) == 10
    assert int((batch["labels"] == 0).sum()) == 3
