"""The six text metrics of summaries as one scorer.

Per item every metric yields a record. BLEU, chrF, ROUGE-L and METEOR give an empty output the value
0, as their libraries do; BERTScore and SIDE leave it out (`empty`), as the study did.
"""

from collections.abc import Callable, Iterator, Sequence
from importlib import metadata

from mtpeft.core.errors import Unavailable
from mtpeft.core.records import Score
from mtpeft.scoring.emit import record
from mtpeft.scoring.interface import Item
from mtpeft.scoring.text_metrics.embedding import BertScore, Side
from mtpeft.scoring.text_metrics.overlap import Unmeasurable, bleu, chrf, meteor, rouge_l
from mtpeft.scoring.text_metrics.wordnet import wordnet

BLEU, METEOR, ROUGE, CHRF = (
    "bleu_sacrebleu_sentence_exp",
    "meteor_nltk",
    "rougeL_f1_stemmed",
    "chrf2_sacrebleu_sentence",
)
BERTSCORE, SIDE = "bertscore_f1_bert-base-uncased_l12", "side"

OVERLAP: dict[str, Callable[[str, str], float]] = {
    BLEU: bleu,
    METEOR: meteor,
    ROUGE: rouge_l,
    CHRF: chrf,
}
Cell = tuple[float | None, str, str]
"""Value, status and detail of a record."""


class TextMetrics:
    """BLEU, METEOR, ROUGE-L, chrF, BERTScore and SIDE against the reference summary (SIDE: against
    the code).
    """

    tool = "text-metrics"
    metrics = (BLEU, METEOR, ROUGE, CHRF, BERTSCORE, SIDE)
    batch = 64
    seconds = 600
    measures_blank = True

    def __init__(self, bertscore: BertScore | None = None, side: Side | None = None) -> None:
        self._bertscore, self._side = bertscore, side or Side()

    def version(self) -> str:
        """Versions of the libraries, and which metrics cannot run here.

        Raises:
            Unavailable: Even the word and character metrics cannot run.
        """
        try:
            parts = [
                f"{name} {metadata.version(name)}" for name in ("sacrebleu", "nltk", "rouge-score")
            ]
        except metadata.PackageNotFoundError as error:
            raise Unavailable(
                f"text metrics cannot run: {error}",
                "sacrebleu, nltk, rouge-score",
                "make .venv/.score",
            ) from error
        for name, ask in self._demanding().items():
            try:
                parts.append(ask())
            except Unavailable:
                parts.append(f"no {name}")
        return ", ".join(part for part in parts if part)

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """Six records per item; an item without reference (SIDE: without code) has no value."""
        version = self.version()
        missing = {}
        for name, ask in self._demanding().items():
            try:
                ask()
            except Unavailable as error:
                missing[name] = (None, "cannot run here", error.found)
        embedded = {
            BERTSCORE: paired(
                items, BERTSCORE in missing, lambda i: i.reference, self._bert, self._bert_cut
            ),
            SIDE: paired(
                [i for i in items if i.language == "java"],
                SIDE in missing,
                lambda i: i.source,
                lambda outputs, codes: self._side(codes, outputs),
                self._side.cut,
            ),
        }
        for item in items:
            for metric in self.metrics:
                if metric in OVERLAP and metric not in missing:
                    cell = self._overlap(metric, item)
                elif metric == SIDE and item.language != "java":
                    cell = (None, "cannot run here", "SIDE is defined for Java only")
                else:
                    cell = missing.get(metric) or embedded[metric][id(item)]
                yield record(self.tool, version, item, metric, *cell)

    def _demanding(self) -> dict[str, Callable[[], str]]:
        """The metrics that need more than the package's libraries → their version, or
        `Unavailable`.
        """

        def meteor_version() -> str:
            wordnet()
            return ""

        return {METEOR: meteor_version, BERTSCORE: self._bert_version, SIDE: self._side.version}

    def _bert_version(self) -> str:
        if self._bertscore is not None:
            return self._bertscore.version()
        scorer = BertScore.of_study()
        version = scorer.version()
        scorer.require_study_model()
        self._bertscore = scorer
        return version

    def _bert(self, outputs: list[str], references: list[str]) -> list[float]:
        assert self._bertscore is not None
        return self._bertscore(outputs, references)

    def _bert_cut(self, text: str) -> str:
        assert self._bertscore is not None
        return self._bertscore.cut(text)

    @staticmethod
    def _overlap(metric: str, item: Item) -> Cell:
        if not item.reference.strip():
            return None, "infrastructure", "no reference"
        try:
            return OVERLAP[metric](item.output, item.reference), "ok", ""
        except Unmeasurable as error:
            return None, "unparseable", str(error)


def paired(
    items: Sequence[Item],
    missing: bool,
    other: Callable[[Item], str],
    compute: Callable[[list[str], list[str]], list[float]],
    cut: Callable[[str], str],
) -> dict[int, Cell]:
    """Cells of an embedding metric by item identity; pairs with an empty side stay out of the
    computation.

    Args:
        items: What is scored.
        missing: Whether the metric cannot run on this machine.
        other: The other side's text.
        compute: The values of all pairs at once.
        cut: How much of a text the model does not see; empty where it sees all.
    """
    if missing:
        return {}
    whole = [item for item in items if item.output.strip() and other(item).strip()]
    values = (
        compute([item.output for item in whole], [other(item) for item in whole]) if whole else []
    )
    cells: dict[int, Cell] = {
        id(item): (
            value,
            "ok",
            "; ".join(
                f"{what}: {said}"
                for what, said in (
                    ("output", cut(item.output)),
                    ("compared with", cut(other(item))),
                )
                if said
            ),
        )
        for item, value in zip(whole, values, strict=True)
    }
    for item in items:
        if not other(item).strip():
            cells[id(item)] = (None, "infrastructure", "nothing to compare with")
        elif not item.output.strip():
            cells[id(item)] = (None, "empty", "")
    return cells


def scorer() -> TextMetrics:
    """The metrics as the study computed them, with what this machine has."""
    return TextMetrics()
