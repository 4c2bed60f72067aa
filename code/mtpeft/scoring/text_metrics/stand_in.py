"""The computations of BERTScore and SIDE with another model than the studies': the values are its own
and stand under metric names that say which model gave them.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from operator import attrgetter

from mtpeft.catalog import catalog
from mtpeft.core.records import Score
from mtpeft.corpora.published import published
from mtpeft.scoring.emit import record
from mtpeft.scoring.interface import Item
from mtpeft.scoring.text_metrics.embedding import BertScore, Side
from mtpeft.scoring.text_metrics.scorer import paired


class StandIn:
    """BERTScore against the reference and the cosine between a function and its summary, as a
    `Scorer`.

    The model knows general English, and no code; the cosine is not SIDE, whose checkpoint was
    trained to tell fitting summaries from others.

    Args:
        tool: The tool's id in the catalog.
        backbone: A base model that is made from published files.
        layer: Whose embeddings BERTScore compares, from 1.
    """

    batch = 64
    seconds = 600

    def __init__(self, tool: str, backbone: str, layer: int) -> None:
        self.tool = tool
        self.metrics = (f"bertscore_f1_{backbone}_l{layer}", f"cosine_{backbone}")
        self._backbone, self._layer = backbone, layer

    @cached_property
    def _models(self) -> tuple[BertScore, Side]:
        folder = str(published(catalog().get("backbones", self._backbone)))
        return BertScore(folder, self._layer), Side(folder)

    def version(self) -> str:
        """As `Scorer.version`; the model is made first where it is not there yet.

        Raises:
            MtpeftError: The model's files cannot be had.
            Unavailable: Torch, transformers or bert-score is missing.
        """
        bertscore, _ = self._models
        return bertscore.version()

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """Two records per item; an item without reference, or without code, has no such value."""
        version = self.version()
        bertscore, side = self._models

        def cosine(outputs: list[str], codes: list[str]) -> list[float]:
            return side(codes, outputs)

        cells = [
            paired(items, False, attrgetter("reference"), bertscore, bertscore.cut),
            paired(items, False, attrgetter("source"), cosine, side.cut),
        ]
        for item in items:
            for metric, found in zip(self.metrics, cells, strict=True):
                yield record(self.tool, version, item, metric, *found[id(item)])


def scorer(tool: str, backbone: str, layer: int) -> StandIn:
    """The stand-in of the tool's entry in the catalog."""
    return StandIn(tool, backbone, layer)
