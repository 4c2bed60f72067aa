"""The text metrics against values worked out by hand, and what happens where their data are
missing.
"""

import math
import sys
from types import ModuleType

import pytest
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.scoring import engine
from mtpeft.scoring.interface import Item
from mtpeft.scoring.text_metrics import embedding, overlap, wordnet
from mtpeft.scoring.text_metrics.embedding import BertScore, Side, local_model
from mtpeft.scoring.text_metrics.overlap import bleu, chrf, rouge_l
from mtpeft.scoring.text_metrics.scorer import (
    BERTSCORE,
    BLEU,
    CHRF,
    METEOR,
    ROUGE,
    SIDE,
    TextMetrics,
    scorer,
)


def test_bleu_uses_the_effective_order_and_the_brevity_penalty():
    # Two words: orders 1 and 2 only, both perfect; three words expected.
    assert bleu("the cat", "the cat sat") == pytest.approx(math.exp(1 - 3 / 2))


def test_bleu_smooths_exponentially():
    # 2 of 3 words; no bigram of 2: 1/(2·2); no trigram of 1: 1/(4·1).
    assert bleu("the dog sat", "the cat sat") == pytest.approx((2 / 3 * 1 / 4 * 1 / 4) ** (1 / 3))


def test_bleu_is_case_sensitive_and_splits_punctuation():
    assert bleu("Returns it.", "Returns it .") == pytest.approx(1.0)
    assert bleu("returns it .", "Returns it .") < 1


def test_chrf_ignores_blanks_and_prefers_recall():
    assert chrf("a b c", "abc") == pytest.approx(1.0)
    # Orders 1 to 3 exist on both sides: precision 1, recall 3/4, 2/3, 1/2; F2 of the means.
    precision, recall = 1.0, (3 / 4 + 2 / 3 + 1 / 2) / 3
    assert chrf("abc", "abcd") == pytest.approx(5 * precision * recall / (4 * precision + recall))


def test_rouge_l_is_the_f_measure_of_the_longest_common_subsequence():
    # the quick brown … jumps … the: 5 words of 8 and of 9.
    value = rouge_l(
        "The quick brown dog jumps on the log.", "The quick brown fox jumps over the lazy dog"
    )
    assert value == pytest.approx(2 * (5 / 8) * (5 / 9) / (5 / 8 + 5 / 9))


def test_rouge_l_stems():
    assert rouge_l("computes values", "computed value") == pytest.approx(1.0)


@pytest.mark.parametrize("metric", [bleu, chrf, rouge_l])
def test_an_empty_summary_scores_nothing_and_does_not_fail(metric):
    assert metric("", "returns the size") == 0.0


def test_lexnames_has_the_45_lines_of_the_manual_page():
    lines = [line.split("\t") for line in wordnet.lexnames().splitlines()]
    assert len(lines) == 45 and [int(number) for number, _, _ in lines] == list(range(45))
    assert (
        lines[0][1:] == ["adj.all", "3"]
        and lines[3][1:] == ["noun.Tops", "1"]
        and lines[44][1:] == ["adj.ppl", "3"]
    )
    assert (
        lines[2][1:] == ["adv.all", "4"]
        and lines[29][1:] == ["verb.body", "2"]
        and lines[43][1:] == ["verb.weather", "2"]
    )


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.delenv("MTPEFT_TOOLS", raising=False)
    wordnet.wordnet.cache_clear()
    yield tmp_path
    wordnet.wordnet.cache_clear()


def test_wordnet_is_never_taken_from_files_that_differ(empty_cache):
    source = empty_cache / "source"
    source.mkdir()
    for name in wordnet.FILES:
        (source / name).write_text("not WordNet\n")
    with pytest.raises(MtpeftError, match="SHA-256"):
        wordnet.setup_wordnet(source)
    with pytest.raises(Unavailable, match="not set up"):
        wordnet.wordnet()


def test_an_incomplete_wordnet_source_is_named(empty_cache):
    with pytest.raises(Unavailable, match=r"has no adj\.exc"):
        wordnet.setup_wordnet(empty_cache)


def item(
    output: str = "returns the size",
    reference: str = "returns the size of it",
    language: str = "java",
    source: str = "int size() {return n;}",
    name: str = "1",
) -> Item:
    return Item("run", f"summarization-{language}", name, language, output, reference, source)


@pytest.fixture
def bare(empty_cache, monkeypatch):
    """A machine with the libraries and nothing else: no WordNet, no weights."""

    def nowhere(name: str, fix: str, revision: str | None = None):
        raise Unavailable(f"no weights of {name} on this machine", "weights", fix)

    monkeypatch.setattr(embedding, "local_model", nowhere)
    monkeypatch.delenv(embedding.SIDE_VARIABLE, raising=False)
    return TextMetrics()


def test_metrics_without_their_data_are_a_status_and_the_others_still_scored(bare):
    cells = {score.metric: score for score in bare.score([item()])}
    assert list(cells) == list(TextMetrics.metrics)
    for metric, function in ((BLEU, bleu), (ROUGE, rouge_l), (CHRF, chrf)):
        assert (cells[metric].value, cells[metric].status) == (
            function(item().output, item().reference),
            "ok",
        )
    for metric in (METEOR, BERTSCORE, SIDE):
        assert (cells[metric].value, cells[metric].status) == (None, "cannot run here") and cells[
            metric
        ].detail
    assert f"no {BERTSCORE}" in bare.version() and "sacrebleu 2." in bare.version()


class Fake:
    """In place of an embedding metric: remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[str], list[str]]] = []

    def version(self) -> str:
        return "fake 1"

    def cut(self, text: str) -> str:
        return "" if len(text) < 100 else "cut"

    def __call__(self, first: list[str], second: list[str]) -> list[float]:
        self.asked.append((list(first), list(second)))
        return [0.5] * len(first)


def test_pairs_with_an_empty_side_stay_out_of_the_embedding_metrics(empty_cache):
    bert, side = Fake(), Fake()
    items = [
        item(),
        item("", name="2"),
        item(reference="", name="3"),
        item(source=" ", name="4"),
        item(language="python", name="5"),
    ]
    cells = {
        (s.instance_id, s.metric): (s.value, s.status) for s in TextMetrics(bert, side).score(items)
    }
    assert bert.asked == [
        ([items[i].output for i in (0, 3, 4)], [items[i].reference for i in (0, 3, 4)])
    ]
    assert side.asked == [([items[i].source for i in (0, 2)], [items[i].output for i in (0, 2)])]
    assert cells["1", BERTSCORE] == (0.5, "ok") and cells["1", SIDE] == (0.5, "ok")
    assert cells["2", BERTSCORE] == cells["2", SIDE] == (None, "empty") and cells["2", BLEU] == (
        0.0,
        "ok",
    )
    assert cells["3", BERTSCORE] == cells["3", BLEU] == (None, "infrastructure")
    assert cells["4", SIDE] == (None, "infrastructure")
    assert cells["5", SIDE] == (None, "cannot run here") and cells["5", BERTSCORE] == (0.5, "ok")


def test_the_scorer_names_the_metrics_of_the_catalog_and_takes_summaries_only(known):
    made = scorer()
    assert set(made.metrics) == {metric.id for metric in known.tools["text-metrics"].metrics}
    assert {
        name
        for name, e in known.evaluations().items()
        if engine.applies(known.tools["text-metrics"], made, e)
    } == {
        "summarization-java",
        "summarization-packages",
        "summarization-python",
    }


def test_weights_are_not_downloaded_behind_the_users_back(monkeypatch):
    asked = []

    class NotInCache(Exception):
        """Stands for both errors that the hub's client raises here."""

    def download(name: str, **options: object) -> str:
        asked.append(options)
        raise NotInCache(name)

    for name, content in {
        "torch": {},
        "huggingface_hub": {"snapshot_download": download},
        "huggingface_hub.errors": {
            "LocalEntryNotFoundError": NotInCache,
            "HFValidationError": NotInCache,
        },
    }.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    with pytest.raises(Unavailable, match="no weights"):
        local_model("somebody/no-such-model", "fix")
    assert asked == [{"revision": None, "local_files_only": True}]


def test_a_missing_package_is_unavailable(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for ask in (BertScore("x", 1).version, Side("x").version):
        with pytest.raises(Unavailable, match="cannot run"):
            ask()


def test_side_without_a_checkpoint_says_how_to_name_one(monkeypatch):
    monkeypatch.delenv(embedding.SIDE_VARIABLE, raising=False)
    with pytest.raises(Unavailable, match="MTPEFT_SIDE_MODEL"):
        Side().version()


def test_overlap_metrics_take_the_output_first():
    # A precision-recall asymmetry shows a swap: chrF weighs recall four times as much.
    assert chrf("abcdef", "abc") > chrf("abc", "abcdef")
    assert overlap.bleu("a b c d", "a b c d e f") != overlap.bleu("a b c d e f", "a b c d")
