"""Metrics that compare embeddings. Their weights are never fetched here: what is not on this
machine is `Unavailable`.
"""

import os
from collections.abc import Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from mtpeft.core.errors import MtpeftError, Unavailable

BERT = "bert-base-uncased"
BERT_VARIABLE = "MTPEFT_BERTSCORE_MODEL"
SIDE_VARIABLE = "MTPEFT_SIDE_MODEL"
# What tells bert-base-uncased from another model that lies in a folder.
_BERT_SHAPE = {
    "model_type": "bert",
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "vocab_size": 30522,
}


def local_model(name: str, fix: str) -> Path:
    """The folder of a model: `name` itself where it is one, else its snapshot in the hub's local
    cache.

    Raises `Unavailable` (with `fix`) where neither is there, or where the packages to run it are
    missing.
    """
    try:
        import torch  # noqa: F401
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise Unavailable(
            f"{name} cannot run: {error}", "torch and transformers", "make .venv/.train"
        ) from error
    folder = Path(name).expanduser()
    if not folder.is_dir():
        try:
            folder = Path(snapshot_download(name, local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError, OSError) as error:
            raise Unavailable(
                f"no weights of {name} on this machine",
                "a model folder, or one in the hub's cache",
                fix,
            ) from error
    if not (folder / "config.json").is_file():
        raise Unavailable(f"{folder} holds no model (no config.json)", "a model folder", fix)
    return folder


class BertScore:
    """BERTScore F1 with the embeddings of one layer; no idf weights, no baseline rescaling.

    model: a hub name or a folder; layer: 1-based, the study's is 12 (the library's default for this
    model is 9).
    """

    def __init__(self, model: str, layer: int) -> None:
        self.model, self.layer = model, layer

    @classmethod
    def of_study(cls) -> "BertScore":
        """bert-base-uncased, layer 12; MTPEFT_BERTSCORE_MODEL may name a folder that holds it."""
        return cls(os.environ.get(BERT_VARIABLE) or BERT, 12)

    def version(self) -> str:
        """The library's version. Raises `Unavailable` where library or weights are missing."""
        self._folder()
        try:
            return f"bert-score {metadata.version('bert-score')}"
        except metadata.PackageNotFoundError as error:
            raise Unavailable(
                "bert-score is not installed", "bert-score 0.3.13", "pip install bert-score==0.3.13"
            ) from error

    def _folder(self) -> Path:
        return local_model(self.model, f"hf download {BERT}, or set {BERT_VARIABLE} to its folder")

    def require_study_model(self) -> None:
        """Refuse another model under the study's metric name. Raises MtpeftError."""
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(self._folder())
        found = {name: getattr(config, name, None) for name in _BERT_SHAPE}
        if found != _BERT_SHAPE:
            raise MtpeftError(
                f"{self.model} is not {BERT}: {found}",
                str(_BERT_SHAPE),
                f"set {BERT_VARIABLE} to a folder with {BERT}",
            )

    @cached_property
    def _scorer(self) -> Any:
        from bert_score import BERTScorer

        return BERTScorer(
            model_type=str(self._folder()),
            num_layers=self.layer,
            batch_size=8,
            idf=False,
            rescale_with_baseline=False,
            device="cpu",
        )

    def __call__(self, outputs: Sequence[str], references: Sequence[str]) -> list[float]:
        """F1 of each pair; no side may be empty."""
        _, _, f1 = self._scorer.score(list(outputs), list(references))
        return [float(value) for value in f1]


class Side:
    """SIDE: cosine between the embeddings of a function and of its summary, from a checkpoint
    trained for that.

    Mean of the last hidden states over the tokens (512 at most), scaled to length 1.
    Mastropaolo et al. 2024, arXiv:2312.15475.
    """

    def __init__(self, model: str | None = None) -> None:
        self.model = model or os.environ.get(SIDE_VARIABLE, "")

    def version(self) -> str:
        """What runs the checkpoint. Raises `Unavailable` where it is missing."""
        self._folder()
        return f"transformers {metadata.version('transformers')}, {Path(self.model).name}"

    def _folder(self) -> Path:
        fix = f"set {SIDE_VARIABLE} to the folder of a SIDE checkpoint"
        if not self.model:
            raise Unavailable("no SIDE checkpoint is named", "a model folder", fix)
        return local_model(self.model, fix)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from transformers import AutoModel, AutoTokenizer

        folder = self._folder()
        return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    def __call__(self, codes: Sequence[str], summaries: Sequence[str]) -> list[float]:
        """Cosine of each (code, summary) pair, in [-1, 1]."""
        pairs = zip(self._embed(codes), self._embed(summaries), strict=True)
        return [float(code @ summary) for code, summary in pairs]

    def _embed(self, texts: Sequence[str], batch: int = 8) -> list[Any]:
        import torch

        tokenizer, model = self._loaded
        result: list[Any] = []
        for i in range(0, len(texts), batch):
            inputs = tokenizer(
                list(texts[i : i + batch]),
                padding=True,
                truncation=True,
                max_length=512,
                return_tensors="pt",
            )
            with torch.inference_mode():
                hidden = model(**inputs).last_hidden_state
            mask = inputs["attention_mask"].unsqueeze(-1)
            mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
            result.extend(torch.nn.functional.normalize(mean, dim=1))
        return result
