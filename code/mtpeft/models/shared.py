"""Hard parameter sharing: every task passes the same encoder and then its own head."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from mtpeft.catalog import Backbone, Method, catalog
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.models import nf4
from mtpeft.models.base import attention_to_answer, load_encoder
from mtpeft.models.heads import HEADS, label_loss, ranking_loss
from mtpeft.models.methods import method_module
from mtpeft.models.pooling import pooled

Batch = dict[str, torch.Tensor]
SHARED = "shared.safetensors"


class Batches(Protocol):
    """Examples of one task that can be handed over in batches."""

    task: str

    def __len__(self) -> int: ...

    def lengths(self) -> Sequence[int]:
        """Tokens of each example."""
        ...

    def batch(self, positions: Sequence[int], device: str = "cpu") -> Batch:
        """ids and mask [B, L], labels [B]; of a ranking task [2 B, L], queries first."""
        ...


class SharedModel(nn.Module):
    """Encoder, the method's modules, one head per task.

    Args:
        encoder: The base model without a language-model head.
        backbone: Its entry in the catalog (or one like it).
        method: What is trained.
        heads: What each task's output is (`label` or `ranking`), by task.
        how: Settings that the method reads, by name.
        positive_weights: How much a positive counts in training, by task.
        about: What else saved heads shall say of where they come from, as JSON.
    """

    def __init__(
        self,
        encoder: Any,
        backbone: Backbone,
        method: Method,
        heads: Mapping[str, str],
        how: Mapping[str, Any],
        positive_weights: Mapping[str, float] | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        hidden = encoder.config.hidden_size
        attached = method_module(method).attach(encoder, backbone, {**how, "tasks": len(heads)})
        self.kind, self.outputs = backbone.kind, dict(heads)
        self.encoder, self.extra = attached.encoder, attached.extra
        self._save, self._load, self._choose = attached.save, attached.load, attached.choose
        self.heads = nn.ModuleDict({task: HEADS[head](hidden) for task, head in heads.items()})
        self.positive_weights = dict(positive_weights or {})
        self.about = {
            "backbone": backbone.id,
            "method": method.id,
            "outputs": self.outputs,
            "how": dict(how),
            "positive_weights": self.positive_weights,
            **(about or {}),
        }
        # Compute the encoder in bfloat16 where it is on a GPU; weights stay as they are.
        self.bf16 = how["mixed_precision"] == "bf16"

    def forward(self, task: str, batch: Batch) -> torch.Tensor:
        """Logits [B] of a label task; vectors [2 B, h] of a ranking task, queries first."""
        if self._choose is not None:
            self._choose(list(self.heads).index(task))
        made: torch.Tensor = self.heads[task](self.embed(batch["ids"], batch["mask"]))
        return made

    def embed(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Token ids and mask [B, L] → pooled [B, h]."""
        with torch.autocast("cuda", torch.bfloat16, enabled=self.bf16 and ids.is_cuda):
            hidden = pooled(self.kind, self.encoder(input_ids=ids, attention_mask=mask), mask)
            made: torch.Tensor = hidden.float()
            return made

    def loss_of(
        self, task: str, output: torch.Tensor, labels: torch.Tensor, training: bool = True
    ) -> torch.Tensor:
        """The task's loss of what `forward` returned.

        Args:
            task: The task.
            output: Logits [B] or vectors [2 B, h].
            labels: 0 or 1, shape [B].
            training: Whether positives have their weight.
        """
        if self.outputs[task] == "label":
            weight = self.positive_weights.get(task, 1.0) if training else 1.0
            return label_loss(output, labels, weight)
        return ranking_loss(*output.chunk(2))

    def loss(self, task: str, batch: Batch, training: bool = True) -> torch.Tensor:
        """Forward pass and loss of one batch."""
        return self.loss_of(task, self(task, batch), batch["labels"], training)

    def activation_checkpointing_enable(
        self, activation_checkpointing_kwargs: dict[str, Any] | None = None, **more: Any
    ) -> None:
        """Recompute the encoder's activations in the backward pass."""
        if self.extra is not None:
            self.encoder.enable_input_require_grads()
        self.encoder.activation_checkpointing_enable(
            activation_checkpointing_kwargs=activation_checkpointing_kwargs, **more
        )

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
        """`shared.safetensors` (the method's format) and `heads.safetensors`, which says what is
        needed to build the model again (see `about`).
        """
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        self._save(folder / SHARED)
        heads = {n: t.detach().cpu().contiguous() for n, t in self.heads.state_dict().items()}
        # One entry: the library writes several in an order that changes from run to run.
        about = {"about": json.dumps(self.about, sort_keys=True)}
        save_file(heads, folder / "heads.safetensors", metadata=about)

    def load(self, folder: Path) -> None:
        """Take up what `save` or `mtpeft train export` wrote, into a model of the same shape; an
        exported encoder that was trained whole is the model's already.
        """
        from safetensors.torch import load_file

        if (folder / SHARED).is_file():
            self._load(folder / SHARED)
        elif (folder / "adapter_config.json").is_file():
            from peft import load_peft_weights, set_peft_model_state_dict

            weights = load_peft_weights(str(folder), device="cpu")
            set_peft_model_state_dict(self.encoder, weights)
        self.heads.load_state_dict(load_file(folder / "heads.safetensors"))


def about(folder: Path) -> dict[str, Any]:
    """What the heads in a folder say of where they come from.

    Raises:
        BadInput: They say nothing.
    """
    from safetensors import safe_open

    path = folder / "heads.safetensors"
    with safe_open(path, "pt") as stored:
        said = (stored.metadata() or {}).get("about")
    if said is None:
        raise BadInput(path, "no `about`", "heads that `mtpeft train` saved", "train them again")
    try:
        found: dict[str, Any] = json.loads(said)
        if not {"run", "backbone", "method", "outputs"} <= found.keys():
            raise ValueError("no run, backbone, method or outputs")
    except (ValueError, AttributeError, RecursionError) as error:
        raise BadInput(
            path, f"`about`: {error}", "what `mtpeft train` saved", "train them again"
        ) from error
    return found


def rebuilt(folder: Path, source: str, base: Mapping[str, str], encoder: Any = None) -> SharedModel:
    """The model that saved heads describe.

    Args:
        folder: With `shared.safetensors` and `heads.safetensors`, or an exported one.
        source: Folder of the base model.
        base: Hashes of its weights and tokenizer.
        encoder: The base model, where it is in memory already; it is changed.

    Raises:
        MtpeftError: The heads were trained on another base model.
    """
    told, known = about(folder), catalog()
    for key, value in base.items():
        if told.get(key) != value:
            raise MtpeftError(
                f"{key} of {source} is {value[:12]}",
                f"{str(told.get(key))[:12]}, as {told['run']} was trained with",
                "--backbone FOLDER with these weights",
            )
    whole = not any((folder / name).is_file() for name in (SHARED, "adapter_config.json"))
    if encoder is None or whole:
        read = told["how"]
        encoder = load_encoder(
            str(folder) if whole else source,
            attention_to_answer(str(read["attention"])),
            nf4.wanted(read),
            mixed=read["mixed_precision"] == "bf16",
        )
    model = SharedModel(
        encoder,
        known.get("backbones", told["backbone"]),
        known.get("methods", told["method"]),
        told["outputs"],
        told["how"],
        told.get("positive_weights"),
    )
    model.load(folder)
    return model


@torch.no_grad()
def outputs(
    model: SharedModel, data: Batches, batch: int = 64, device: str = "cpu", *, logits: bool = False
) -> tuple[float, np.ndarray]:
    """Pass every example through the model.

    Args:
        model: The model.
        data: Examples of one task.
        batch: Examples at a time.
        device: Where the model is.
        logits: Of a label task, the logits in place of probabilities.

    Returns:
        The mean loss over examples, positives not weighted; in the order of the examples, the
        probability of the positive class [n] of a label task, or the vectors of query and code [n,
        2, h] of a ranking task.
    """
    model.eval()
    losses, found = 0.0, []
    # Rows of like length together: less padding. No result depends on the order.
    order = np.argsort(data.lengths(), kind="stable")
    for start in range(0, len(order), batch):
        inputs = data.batch(order[start : start + batch].tolist(), device)
        output = model(data.task, inputs)
        loss = model.loss_of(data.task, output, inputs["labels"], training=False)
        losses += float(loss) * len(inputs["labels"])
        ranking = model.outputs[data.task] == "ranking"
        said = output if logits else output.sigmoid()
        found.append(torch.stack(output.chunk(2), 1) if ranking else said)
    values = torch.cat(found).float().cpu().numpy()[np.argsort(order)]
    return losses / len(data), values
