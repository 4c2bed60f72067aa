"""Answers of a classifier that its authors published with an encoder, read as their program reads
examples: white space collapsed, each function a sequence of its own, position 0 of each side by
side, one hidden layer with tanh, two classes.
"""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.catalog import catalog
from mtpeft.core.errors import MtpeftError
from mtpeft.core.provenance import write_provenance
from mtpeft.core.records import Prediction, write_predictions
from mtpeft.corpora import default_corpus, evaluation_of, load, subsample_evenly
from mtpeft.corpora.published import classifier
from mtpeft.corpora.weights import fingerprint, source_of
from mtpeft.models.device import local
from mtpeft.tasks.classification import binary_scores
from mtpeft.tasks.encoding import classes, encoded_task

if TYPE_CHECKING:
    import torch


def run(
    name: str, out: Path, corpus: str = "", batch: int = 64, limit: int = 0
) -> dict[str, float]:
    """Predict the test set of a published classifier.

    Args:
        name: The backbone that it comes with.
        out: The file of predictions, which is replaced.
        corpus: As in `corpora.load`.
        batch: Functions at a time.
        limit: Examples, evenly spaced (0: all).

    Returns:
        What `classification.binary_scores` gives, and `n`.

    Raises:
        MtpeftError: The backbone has no classifier, or something cannot be had.
    """
    from mtpeft.models.base import load_encoder, load_tokenizer

    backbone = catalog().get("backbones", name)
    head, how = classifier(backbone), backbone.classifier
    corpus = corpus or default_corpus(how.task)
    evaluation = evaluation_of(how.task, corpus)
    module = encoded_task(how.task)
    examples = subsample_evenly(load(corpus, how.task, "test"), limit)
    texts = [[" ".join(text.split()) for text in module.texts(e)] for e in examples]
    source = source_of(backbone)
    encoder = load_encoder(source, "auto").to(local()).eval()
    _fits(name, head, encoder.config.hidden_size, texts)
    start = time.monotonic()
    # A function that stands in many pairs is read once.
    known = {text: at for at, text in enumerate(dict.fromkeys(t for row in texts for t in row))}
    rows = load_tokenizer(source)(list(known), max_length=how.code_length, truncation=True)
    tokens: list[list[int]] = rows["input_ids"]
    states = first_states(encoder, tokens, batch)
    pairs = [[known[text] for text in row] for row in texts]
    said = probabilities(states, pairs, head)[:, how.positive].tolist()
    each = round((time.monotonic() - start) / len(examples), 6)
    predictions = [
        Prediction(name, evaluation, e.id, _hash(tokens, row), f"{p:.6f}", str(c), "stop", each)
        for e, row, p, c in zip(examples, pairs, said, classes(said), strict=True)
    ]
    write_predictions(out, predictions)
    write_provenance(out, [], run=name, corpus=corpus, batch=batch, **fingerprint(source))
    labels = [module.label(e) for e in examples]
    return {"n": len(examples), **binary_scores(labels, classes(said))}


def _fits(name: str, head: dict[str, Any], hidden: int, texts: Sequence[Sequence[str]]) -> None:
    width = head["dense.weight"].shape[1]
    wrong = sorted({len(row) for row in texts} - {width // hidden})
    if not texts or wrong:
        raise MtpeftError(
            f"{len(texts)} examples" + (f", some of {wrong[0]} functions" if wrong else ""),
            f"examples of {width // hidden} functions, as the classifier of {name} reads",
            "--corpus with such a test set",
        )


def first_states(encoder: Any, tokens: Sequence[Sequence[int]], batch: int) -> "torch.Tensor":
    """The hidden state of position 0 of every sequence.

    Args:
        encoder: The encoder.
        tokens: Of each sequence.
        batch: Sequences at a time, of like length.

    Returns:
        Shape [sequences, h], on the CPU.
    """
    import torch

    padding, device = encoder.config.pad_token_id, encoder.device
    found = torch.empty(len(tokens), encoder.config.hidden_size)
    order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
    with torch.inference_mode():
        for start in range(0, len(order), batch):
            at = order[start : start + batch]
            ids = torch.full((len(at), len(tokens[at[-1]])), padding)
            for row, i in enumerate(at):
                ids[row, : len(tokens[i])] = torch.tensor(tokens[i])
            ids = ids.to(device)
            made = encoder(input_ids=ids, attention_mask=ids.ne(padding).long())
            found[at] = made.last_hidden_state[:, 0].cpu()
    return found


def probabilities(
    states: "torch.Tensor", examples: Sequence[Sequence[int]], head: dict[str, Any]
) -> "torch.Tensor":
    """The classes' probabilities of every example.

    Args:
        states: One for each function, shape [functions, h].
        examples: The functions of each, by their place in `states`.
        head: Tensors of the classifier.

    Returns:
        Shape [examples, 2].
    """
    import torch

    joint = states[torch.tensor(examples)].flatten(1)
    inner = torch.tanh(joint @ head["dense.weight"].T + head["dense.bias"])
    return (inner @ head["out_proj.weight"].T + head["out_proj.bias"]).softmax(-1)


def _hash(tokens: Sequence[Sequence[int]], row: Sequence[int]) -> str:
    """Hash of the tokens that the model read."""
    return hashlib.sha256(str([tokens[i] for i in row]).encode()).hexdigest()
