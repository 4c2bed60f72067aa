"""Metrics that compare embeddings. Their weights are never fetched here: what is not on this
machine is `Unavailable`.
"""

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.provenance import sha256

BERT = "bert-base-uncased"
BERT_HUB, BERT_REVISION = (
    "google-bert/bert-base-uncased",
    "86b5e0934494bd15c9632b12f734a8a67f723594",
)
BERT_VARIABLE = "MTPEFT_BERTSCORE_MODEL"
SIDE_VARIABLE = "MTPEFT_SIDE_MODEL"
_SIDE_TOKENS = 512
# What tells bert-base-uncased from another model that lies in a folder.
_BERT_SHAPE = {
    "model_type": "bert",
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "vocab_size": 30522,
}


def local_model(name: str, fix: str, revision: str | None = None) -> Path:
    """The folder of a model: `name` itself where it is one, else its snapshot in the hub's local
    cache.

    Args:
        name: A folder, or a name on the hub.
        fix: How to get the model, for the error.
        revision: The commit to take from the cache.

    Raises:
        Unavailable: Neither is there, or the packages to run it are missing.
    """
    try:
        import torch  # noqa: F401
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise Unavailable(
            f"{name} cannot run: {error}", "torch and transformers", "make .venv/.train"
        ) from error
    folder = Path(os.path.expanduser(name))
    if not folder.is_dir():
        try:
            folder = Path(snapshot_download(name, revision=revision, local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError, OSError) as error:
            raise Unavailable(
                f"no weights of {name} on this machine",
                "a model folder, or one in the hub's cache",
                fix,
            ) from error
    if not (folder / "config.json").is_file():
        raise Unavailable(f"{folder} holds no model (no config.json)", "a model folder", fix)
    return folder


_MODEL_FILES = (".json", ".txt", ".model", ".safetensors", ".bin")


def model_digest(folder: Path) -> str:
    """Hash of a model's weights, settings and tokenizer: what its folder is called decides nothing."""
    files = sorted(p for p in folder.iterdir() if p.suffix in _MODEL_FILES and p.is_file())
    stamps = tuple((p.name, str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files)
    return _digest(stamps)


@lru_cache(maxsize=8)
def _digest(files: tuple[tuple[str, str, int, int], ...]) -> str:
    lines = "".join(f"{name} {sha256(Path(path))}\n" for name, path, _, _ in files)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


class BertScore:
    """BERTScore F1 (Zhang et al. 2020, arXiv:1904.09675) with the embeddings of one layer; no idf
    weights, no baseline rescaling.

    Args:
        model: A hub name or a folder.
        layer: From 1; the study's is 12 (the library's default for this model is 9).
        revision: As in `local_model`.
    """

    def __init__(self, model: str, layer: int, revision: str | None = None) -> None:
        self.model, self.layer, self.revision = model, layer, revision

    @classmethod
    def of_study(cls) -> "BertScore":
        """bert-base-uncased, layer 12; MTPEFT_BERTSCORE_MODEL may name a folder that holds it."""
        own = os.environ.get(BERT_VARIABLE)
        return cls(own, 12) if own else cls(BERT_HUB, 12, BERT_REVISION)

    def version(self) -> str:
        """The library's version, and the hash of the model.

        Raises:
            Unavailable: Library or weights are missing.
        """
        digest = model_digest(self._folder())
        try:
            return (
                f"bert-score {metadata.version('bert-score')} "
                f"(layer {self.layer} of model {digest}, "
                f"transformers {metadata.version('transformers')})"
            )
        except metadata.PackageNotFoundError as error:
            raise Unavailable(
                "bert-score is not installed", "bert-score 0.3.13", "pip install bert-score==0.3.13"
            ) from error

    def _folder(self) -> Path:
        return local_model(
            self.model,
            f"hf download {BERT_HUB} --revision {BERT_REVISION}, "
            f"or set {BERT_VARIABLE} to its folder",
            self.revision,
        )

    def require_study_model(self) -> None:
        """Refuse another model under the study's metric name.

        Raises:
            MtpeftError: The model is another one.
        """
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

        made = BERTScorer(
            model_type=str(self._folder()),
            num_layers=self.layer,
            batch_size=8,
            idf=False,
            rescale_with_baseline=False,
            device="cpu",
        )
        # A tokenizer without a length of its own has an absurd one; the model's positions are the
        # limit, less those that the RoBERTa family keeps for itself.
        config = made._model.config
        positions = int(getattr(config, "max_position_embeddings", 512))
        if getattr(config, "model_type", "") in ("roberta", "xlm-roberta", "camembert"):
            positions -= int(getattr(config, "pad_token_id", 1) or 0) + 1
        made._tokenizer.model_max_length = min(made._tokenizer.model_max_length, positions)
        return made

    def cut(self, text: str) -> str:
        """Empty, or how much of a text the model does not see."""
        tokenizer = self._scorer._tokenizer
        tokens, limit = len(tokenizer.encode(text, truncation=False)), tokenizer.model_max_length
        return f"{tokens} tokens, cut to {limit}" if tokens > limit else ""

    def __call__(self, outputs: Sequence[str], references: Sequence[str]) -> list[float]:
        """F1 of each pair; no side may be empty. Longer texts than the model reads are cut (see
        `cut`).
        """
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
        """What runs the checkpoint, and the checkpoint's hash.

        Raises:
            Unavailable: It is missing.
        """
        digest = model_digest(self._folder())
        return f"transformers {metadata.version('transformers')}, SIDE checkpoint {digest}"

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

    def cut(self, text: str) -> str:
        """Empty, or how much of a text the model does not see."""
        tokenizer, _ = self._loaded
        tokens = len(tokenizer.encode(text, truncation=False))
        return f"{tokens} tokens, cut to {_SIDE_TOKENS}" if tokens > _SIDE_TOKENS else ""

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
                max_length=_SIDE_TOKENS,
                return_tensors="pt",
            )
            with torch.inference_mode():
                hidden = model(**inputs).last_hidden_state
            mask = inputs["attention_mask"].unsqueeze(-1)
            mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
            result.extend(torch.nn.functional.normalize(mean, dim=1))
        return result
