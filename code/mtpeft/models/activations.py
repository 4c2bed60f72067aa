"""What autograd keeps for the backward pass, counted before anything is spent.

A model of the real widths, but few layers, is run once on tensors that have shapes and no memory
(torch's fake tensors), under hooks on everything that is saved; layers beyond those are added by
proportion. The count is that of the library's own modules, adapters, dropout and attention, so that
no formula has to be kept in step with them.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtpeft.catalog import Backbone, Method
from mtpeft.models import nf4
from mtpeft.models.base import config_of, empty_causal, empty_encoder
from mtpeft.models.methods import method_module


@dataclass(frozen=True)
class Kept:
    """Of one micro-batch.

    Attributes:
        bytes: Kept by all layers and what surrounds them.
        copies: Of them, those of weights in another type (of float32 ones where products are in
            bfloat16), which are as large for any micro-batch.
        layer: Kept by one layer.
        operations: That a forward pass starts, one after the other.
    """

    bytes: float
    copies: float
    layer: float
    operations: float


def kept(
    backbone: Backbone,
    method: Method,
    how: Mapping[str, Any],
    rows: int,
    length: int,
    *,
    causal: bool,
    layers: int = 0,
) -> Kept:
    """Count what a micro-batch leaves for the backward pass, recomputation apart.

    Args:
        backbone: Of the run.
        method: What is trained.
        how: Settings by name.
        rows: Sequences at a time.
        length: Tokens of each.
        causal: Whether it is a language model (its output layer apart) or an encoder.
        layers: Of the model (default: the backbone's own).
    """
    config = config_of(backbone)
    whole = layers or config.num_hidden_layers
    # Where layers differ, a pattern of them recurs (ModernBERT: two local ones, a global one); a
    # parallel adapter may span two.
    kinds = list(getattr(config, "layer_types", None) or [])
    period = next((n for n in range(2, len(kinds)) if kinds[n:] == kinds[:-n]), 2)
    few, more = (
        _counted(backbone, method, how, rows, length, causal, n) for n in (period, 2 * period)
    )
    each = [(b - a) / period for a, b in zip(few, more, strict=True)]
    at_all = [a + (whole - period) * e for a, e in zip(few, each, strict=True)]
    return Kept(at_all[0], at_all[1], each[0], at_all[2])


def _counted(
    backbone: Backbone,
    method: Method,
    how: Mapping[str, Any],
    rows: int,
    length: int,
    causal: bool,
    layers: int,
) -> tuple[float, float, float]:
    from torch._subclasses.fake_tensor import FakeTensorMode

    model, run = _model(backbone, method, how, causal, layers)
    logging.getLogger("torch._subclasses.fake_tensor").setLevel(logging.CRITICAL)
    with FakeTensorMode(allow_non_fake_inputs=True):
        for module in model:
            _fill(module)
        return saved(run, rows, length, bf16=how["mixed_precision"] == "bf16", modules=model)


def _model(
    backbone: Backbone, method: Method, how: Mapping[str, Any], causal: bool, layers: int
) -> tuple[list[Any], Any]:
    """The modules of a model without weights, and its forward pass."""
    import torch

    config = config_of(backbone)
    config.num_hidden_layers = layers
    if kinds := list(getattr(config, "layer_types", None) or []):
        config.layer_types = [kinds[n % len(kinds)] for n in range(layers)]
    # Flash attention keeps what the fused kernels of torch keep, without a mask.
    config._attn_implementation = "eager" if how["attention"] == "eager" else "sdpa"  # noqa: SLF001
    four = how["weights"] == "nf4"
    kind = (how["compute_dtype"] if causal else "float32") if four else how["weights"]
    config.dtype = torch.float32 if kind == "float32" else torch.bfloat16
    base = (empty_causal(config) if causal else empty_encoder(config, "meta")).to(config.dtype)
    if four:
        _four_bit(base, getattr(torch, how["compute_dtype"]))
    attached = method_module(method).attach(base, backbone, {"tasks": 1, **how})
    if attached.choose is not None:
        attached.choose(0)
    model = attached.encoder.train()
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model

    def run(ids: Any, positions: Any) -> Any:
        if causal:
            body = getattr(inner, inner.base_model_prefix)
            return body(input_ids=ids, position_ids=positions, use_cache=False)
        # Sequences of a batch differ in length. Without padding the libraries leave the mask out, and
        # with it the float32 copies of the scores that adding it makes.
        mask = torch.ones_like(ids)
        mask[:, -1] = 0
        return model(input_ids=ids, attention_mask=mask)

    return [m for m in (model, attached.extra) if m is not None], run


def _four_bit(model: Any, products: Any) -> None:
    """Put layers that keep what bitsandbytes' 4-bit ones keep, nothing, in the place of those that NF4
    takes.
    """
    import torch

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(_: Any, states: Any, weight: Any, bias: Any) -> Any:
            with torch.autocast("cpu", enabled=False):
                return torch.nn.functional.linear(states, weight, bias)

    class FourBit(torch.nn.Linear):
        def forward(self, states: Any) -> Any:
            made: Any = Product.apply(states.to(products), self.weight, self.bias)
            return made.to(states.dtype)

    for name in nf4.taken(model):
        old = model.get_submodule(name)
        wide = old.in_features, old.out_features, old.bias is not None
        model.set_submodule(name, FourBit(*wide, device="meta", dtype=products))


def _fill(module: Any) -> None:
    """Put tensors of the current mode in place of those of the device `meta`."""
    import torch

    made: dict[int, Any] = {}
    for part in module.modules():
        for name, p in part.named_parameters(recurse=False):
            if p.device.type == "meta" and id(p) not in made:
                empty = torch.empty(p.shape, dtype=p.dtype)
                made[id(p)] = torch.nn.Parameter(empty, p.requires_grad)
            setattr(part, name, made.get(id(p), p))
        for name, b in part.named_buffers(recurse=False):
            if b.device.type == "meta":
                setattr(part, name, torch.zeros(b.shape, dtype=b.dtype))


def saved(
    run: Any, rows: int, length: int, *, bf16: bool, modules: list[Any]
) -> tuple[float, float, float]:
    """Run a forward pass and count.

    Args:
        run: Takes ids and positions, shape [rows, length]; two sequences are packed in each row.
        rows: Sequences.
        length: Tokens of each.
        bf16: Whether products are in bfloat16.
        modules: Whose weights are there anyway.

    Returns:
        Bytes that autograd keeps, each storage once, weights apart; of them, copies of weights in
        another type; operations started.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    weights = [t for m in modules for t in (*m.parameters(), *m.buffers())]
    there = {t.untyped_storage()._cdata for t in weights}  # noqa: SLF001
    found: dict[int, Any] = {}
    copied: dict[int, Any] = {}

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage._cdata not in there:  # noqa: SLF001
            found[storage._cdata] = (storage.nbytes(), tensor)  # noqa: SLF001 (alive: no id twice)
        return tensor

    class Counting(TorchDispatchMode):
        number = 0

        def __torch_dispatch__(
            self, function: Any, _: Any, given: Any = (), named: Any = None
        ) -> Any:
            Counting.number += not function.is_view
            made = function(*given, **(named or {}))
            if function is torch.ops.aten._to_copy.default:  # noqa: SLF001
                source = given[0].untyped_storage()._cdata  # noqa: SLF001
                if source in there:
                    copied[made.untyped_storage()._cdata] = made  # noqa: SLF001
            return made

    ids = torch.zeros((rows, length), dtype=torch.long)
    half = torch.arange(length - length // 2)
    positions = torch.cat([half, half])[:length].expand(rows, length)
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=bf16),
        Counting(),
    ):
        run(ids, positions)
    copies = sum(size for key, (size, _) in found.items() if key in copied)
    return float(sum(size for size, _ in found.values())), float(copies), float(Counting.number)
