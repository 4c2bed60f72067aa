"""Hard parameter sharing: every task passes the same encoder and then its own head."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from mtpeft.catalog import Method
from mtpeft.tuning.multitask.backbones import hidden_size
from mtpeft.tuning.multitask.heads import BINARY, HEADS, binary_loss, retrieval_loss
from mtpeft.tuning.multitask.methods import method_module
from mtpeft.tuning.multitask.pooling import pooled


class SharedModel(nn.Module):
    """Encoder, the method's modules, one head per task.

    kind: of the backbone (`encoder`, `encoder-decoder`, `decoder`); heads: kind of head by task;
    positive_weights: by task.
    """

    def __init__(
        self,
        encoder: Any,
        kind: str,
        method: Method,
        heads: dict[str, str],
        positive_weights: dict[str, float] | None = None,
    ) -> None:
        super().__init__()
        hidden = hidden_size(encoder.config)
        attached = method_module(method).attach(encoder, method.tuning)
        self.kind, self.head_kinds, self.method = kind, dict(heads), method
        self.encoder, self.extra = attached.encoder, attached.extra
        self._save, self._load = attached.save, attached.load
        self.heads = nn.ModuleDict({task: HEADS[head](hidden) for task, head in heads.items()})
        self.positive_weights = positive_weights or {}
        self.bf16 = (
            False  # compute the encoder in bfloat16 where it is on a GPU; weights stay as they are
        )

    def embed(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Token ids and mask [B, L] → pooled [B, h]."""
        with torch.autocast("cuda", torch.bfloat16, enabled=self.bf16 and ids.is_cuda):
            return pooled(self.kind, self.encoder(input_ids=ids, attention_mask=mask), mask).float()

    def forward(self, task: str, batch: dict[str, torch.Tensor]) -> Any:
        """Logits [B] of a binary task; (queries, codes), both [B, h], of a retrieval task, which
        pass as one batch.
        """
        vectors = self.heads[task](self.embed(batch["ids"], batch["mask"]))
        if self.head_kinds[task] == BINARY:
            return vectors
        return vectors.chunk(2)

    def loss_of(
        self, task: str, output: Any, labels: torch.Tensor, training: bool = True
    ) -> torch.Tensor:
        """The task's loss of what `forward` returned; the weight of positives counts in training
        only.
        """
        if self.head_kinds[task] == BINARY:
            return binary_loss(
                output, labels, self.positive_weights.get(task, 1.0) if training else 1.0
            )
        return retrieval_loss(*output)

    def loss(
        self, task: str, batch: dict[str, torch.Tensor], training: bool = True
    ) -> torch.Tensor:
        """Forward pass and loss of one batch."""
        return self.loss_of(task, self(task, batch), batch["labels"], training)

    def shared_parameters(self) -> list[nn.Parameter]:
        """What the method trains, heads apart."""
        return [
            p
            for name, p in self.named_parameters()
            if p.requires_grad and not name.startswith("heads.")
        ]

    def head_parameters(self, task: str | None = None) -> list[nn.Parameter]:
        """Weights of one head, or of all."""
        return list((self.heads if task is None else self.heads[task]).parameters())

    def save(self, folder: Path) -> None:
        """`shared.safetensors` (the method's format) and `heads.safetensors`."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        self._save(folder / "shared.safetensors")
        save_file(
            {n: t.detach().cpu().contiguous() for n, t in self.heads.state_dict().items()},
            folder / "heads.safetensors",
        )

    def load(self, folder: Path) -> None:
        """Take up what `save` wrote, into a model of the same shape."""
        from safetensors.torch import load_file

        self._load(folder / "shared.safetensors")
        self.heads.load_state_dict(load_file(folder / "heads.safetensors"))
