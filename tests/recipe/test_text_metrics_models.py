"""METEOR over real WordNet, and the embedding metrics over tiny models made here."""

import doctest
import os

import pytest
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.scoring import engine
from mtpeft.scoring.interface import Item
from mtpeft.scoring.text_metrics import TextMetrics
from mtpeft.scoring.text_metrics.embedding import BertScore, Side
from mtpeft.scoring.text_metrics.overlap import meteor
from mtpeft.scoring.text_metrics.wordnet import setup_wordnet

pytestmark = pytest.mark.recipe

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "a",
    "returns",
    "value",
    "of",
    "name",
    "list",
    "size",
    "file",
    "int",
    "(",
    ")",
    "{",
    "}",
    ";",
    "return",
    "n",
    ".",
]


@pytest.fixture(scope="module")
def wordnet_here():
    try:
        return setup_wordnet()
    except Unavailable as error:
        pytest.skip(f"WordNet cannot be had here: {error.found}")


def test_meteor_gives_the_value_that_nltk_documents(wordnet_here):
    """The library's own example, read from its documentation: two of its values, of hypothesis 1
    and of no match.
    """
    from nltk.translate.meteor_score import meteor_score

    names: dict[str, list[str]] = {}
    examples = doctest.DocTestParser().get_examples(meteor_score.__doc__)
    for example in examples:
        if example.source.startswith(("hypothesis", "reference")):
            exec(example.source, names)
    documented = float(next(example.want for example in examples if example.want.strip()))
    assert documented == 0.6944
    references = [names[f"reference{i}"] for i in (1, 2, 3)]
    best = max(
        meteor(" ".join(names["hypothesis1"]), " ".join(reference)) for reference in references
    )
    assert round(best, 4) == documented


def test_meteor_counts_stems_and_synonyms(wordnet_here):
    assert meteor("the cars", "the car") > 0.9
    assert meteor("red auto", "red car") > meteor("red boat", "red car")
    # NLTK looks synonyms up by stem: `larg` has none.
    assert meteor("big house", "large house") == meteor("green house", "large house")
    assert meteor("", "a house") == 0.0


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory):
    torch = pytest.importorskip("torch", reason="the training group is not installed")
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("tiny-bert")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizer(
        vocab={word: i for i, word in enumerate(WORDS)}, model_max_length=512
    ).save_pretrained(folder)
    return folder


@pytest.mark.train
def test_bertscore_is_the_greedy_match_of_the_layers_embeddings(tiny_bert):
    """Against the formula (Zhang et al. 2020, section 3) computed here from the same layer.

    As in the library, the special tokens have no weight of their own but may be the nearest of
    another token.
    """
    pytest.importorskip("bert_score", reason="bert-score is not installed")
    import torch
    from transformers import AutoModel, AutoTokenizer

    output, reference = "returns the size", "returns the name of the list"
    tokenizer, model = (
        AutoTokenizer.from_pretrained(tiny_bert),
        AutoModel.from_pretrained(tiny_bert).eval(),
    )
    sides = []
    for text in (output, reference):
        with torch.inference_mode():
            hidden = model(
                **tokenizer(text, return_tensors="pt"), output_hidden_states=True
            ).hidden_states[1][0]
        sides.append(torch.nn.functional.normalize(hidden, dim=1))
    similarity = sides[0] @ sides[1].T
    precision, recall = similarity.max(1).values[1:-1].mean(), similarity.max(0).values[1:-1].mean()
    expected = float(2 * precision * recall / (precision + recall))
    score = BertScore(str(tiny_bert), layer=1)
    assert score([output, reference], [reference, reference]) == pytest.approx(
        [expected, 1.0], abs=1e-5
    )


@pytest.mark.train
def test_another_model_is_refused_under_the_studys_metric_name(tiny_bert):
    with pytest.raises(MtpeftError, match="is not bert-base-uncased"):
        BertScore(str(tiny_bert), layer=12).require_study_model()


@pytest.mark.train
def test_side_is_the_cosine_of_masked_means(tiny_bert):
    """Padding must not enter the mean: a pair scored alone and beside a longer one is the same."""
    side = Side(str(tiny_bert))
    code, summary, longer = (
        "int size ( ) { return n ; }",
        "returns the size",
        "returns the name of the list of the file . " * 5,
    )
    [alone] = side([code], [summary])
    assert side([code, code], [summary, longer])[0] == pytest.approx(alone, abs=1e-5)
    assert -1 <= alone < 1 and side([code], [code]) == pytest.approx([1.0], abs=1e-5)
    assert side.version().startswith("transformers ")


@pytest.mark.train
def test_two_checkpoints_in_folders_of_one_name_are_two_versions(tiny_bert, tmp_path):
    """One cache must never serve the scores of the other."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folders = []
    for seed in (1, 2):
        folder = tmp_path / str(seed) / "side"
        torch.manual_seed(seed)
        model = AutoModel.from_pretrained(tiny_bert)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter)
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(folder)
        folders.append(str(folder))
    item = Item("r", "summarization-java", "1", "java", "the size", "a size", "int size ( ) { }")
    values = []
    for folder in (*folders, folders[0]):
        scorer = TextMetrics(side=Side(folder))
        (outcome,) = engine.score("text-metrics", [item], tmp_path / "cache", scorer=scorer)
        values.append(outcome.cells["side"][0])
    assert values[0] == values[2] != values[1]
    versions = [Side(folder).version() for folder in folders]
    assert versions[0] != versions[1]
    assert BertScore(folders[0], 1).version() != BertScore(folders[1], 1).version()


@pytest.mark.train
def test_a_model_without_a_length_of_its_own_scores_and_says_what_it_cut(tiny_bert, tmp_path):
    from transformers import AutoModel, BertTokenizer

    AutoModel.from_pretrained(tiny_bert).save_pretrained(tmp_path)
    BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)}).save_pretrained(tmp_path)
    score = BertScore(str(tmp_path), layer=1)
    long = "returns the value " * 300
    assert score(["the size"], ["the size"]) == pytest.approx([1.0], abs=1e-5)
    assert score.cut(long) == "902 tokens, cut to 512" and not score.cut("the size")
    assert len(score([long], ["the size"])) == 1


@pytest.mark.train
@pytest.mark.skipif(not os.environ.get("MTPEFT_MIRROR"), reason="the weights need MTPEFT_MIRROR")
def test_a_stand_in_scores_under_its_own_names_and_tells_fitting_summaries_from_others():
    pytest.importorskip("bert_score", reason="bert-score is not installed")
    import torch
    from mtpeft.catalog import catalog
    from mtpeft.corpora.published import published
    from transformers import AutoModel, AutoTokenizer

    code, summary = "def total(xs):\n    return sum(xs)", "Return the sum of a list of numbers."
    outputs = [summary, "Adds up all the values.", "Open a socket to the server.", " "]
    items = [Item("r", "t", str(n), "python", o, summary, code) for n, o in enumerate(outputs)]
    scorer = engine.load("embeddings-minilm")
    records = list(scorer.score(items))
    assert {r.metric for r in records} == {"bertscore_f1_minilm-l6_l6", "cosine_minilm-l6"}
    values = {(r.metric, r.instance_id): r.value for r in records}
    f1, cosine = (
        [values[metric, str(n)] for n in range(4)]
        for metric in ("bertscore_f1_minilm-l6_l6", "cosine_minilm-l6")
    )
    assert f1[0] == pytest.approx(1, abs=1e-5)
    assert f1[1] > f1[2]
    assert cosine[1] > cosine[2]
    assert f1[3] is cosine[3] is None
    folder = published(catalog().backbones["minilm-l6"])
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    sides = []
    for text in (outputs[1], code):
        with torch.inference_mode():
            hidden = model.eval()(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        sides.append(hidden.mean(0))
    assert cosine[1] == pytest.approx(
        float(torch.nn.functional.cosine_similarity(*sides, dim=0)), abs=1e-5
    )
