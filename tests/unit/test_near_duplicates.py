"""Near-duplicates between training and test sets: planted ones are found, unrelated ones are not."""

import csv
import gzip
import itertools
import json
import os
import time
from pathlib import Path

import pytest
from mtpeft.cli import app
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.corpora import Example, write_examples
from mtpeft.corpora.near_duplicates import Index, Overlap, find, jaccard, overlap, shingles, tokens
from typer.testing import CliRunner

JAVA = """public static int lastIndexOf(int[] values, int wanted) {
    for (int at = values.length - 1; at >= 0; at--) {
        if (values[at] == wanted) {
            log.debug("found it");
            return at;
        }
    }
    return -1;
}"""
RENAMED = JAVA.replace("values", "xs").replace("wanted", "y").replace(" lastIndexOf(", " find(")
REFORMATTED = JAVA.replace("    ", "\t").replace(" {\n", "\n{\n").replace(" = ", "=")
COMMENTED = "/** Finds. */\n" + JAVA.replace("return at;", 'return at; // "here" /* it is')
EDITED = JAVA.replace("log.debug", "log.info")
OTHER = """public String joined(List<String> parts, String glue) {
    StringBuilder text = new StringBuilder();
    for (String part : parts) {
        if (text.length() > 0) {
            text.append(glue);
        }
        text.append(part.trim());
    }
    return text.toString();
}"""
PYTHON = '''def total(prices, rate=0.19):
    """Sum with tax."""
    result = 0
    for price in prices:
        if price < 0:
            raise ValueError("negative # price")
        result += price * (1 + rate)
    return round(result, 2)
'''


def _example(name: str, code: str, language: str = "java", target: str = "0") -> Example:
    return Example(name, "flaky-detection", language, {"code": code}, target)


@pytest.mark.parametrize("code", [RENAMED, REFORMATTED, COMMENTED])
def test_names_layout_and_comments_change_nothing(code: str) -> None:
    (one,) = find([_example("other", OTHER), _example("it", JAVA)], [_example("t", code)])
    assert (one.train_id, one.similarity) == ("it", 1.0)


def test_a_python_function_with_other_names_and_comments_is_found() -> None:
    changed = PYTHON.replace("price", "p").replace("total", "f").replace("result", "r")
    changed = changed.replace('"negative # p"', '"negative # price"').replace(
        "r = 0\n", "r = 0  # x\n"
    )
    assert changed != PYTHON
    (one,) = find([_example("it", PYTHON, "python")], [_example("t", changed, "python")])
    assert one.similarity == 1.0


def test_a_small_edit_lowers_the_index_by_the_shingles_that_it_touches() -> None:
    """`debug` is in 5 of the n shingles: 5 are gone and 5 are new, so that n - 5 of n + 5 are shared."""
    n = len(shingles(JAVA, "java"))
    assert jaccard(shingles(JAVA, "java"), shingles(EDITED, "java")) == (n - 5) / (n + 5)
    (one,) = find([_example("it", JAVA)], [_example("t", EDITED)], threshold=0.7)
    assert one.similarity == round((n - 5) / (n + 5), 4)
    assert find([_example("it", JAVA)], [_example("t", EDITED)], threshold=0.99) == []


def test_unrelated_and_short_texts_are_no_near_duplicates() -> None:
    assert find([_example("a", JAVA)], [_example("b", OTHER)]) == []
    getters = [f"int get{n}() {{ return {n.lower()}; }}" for n in ("Width", "Height")]
    assert find([_example("a", getters[0])], [_example("b", getters[1])]) == []
    assert find([_example("a", getters[0])], [_example("b", getters[0])]) != []
    assert find([_example("a", "")], [_example("b", "")]) == []


def test_the_comment_sign_in_a_string_and_in_one_line_ends_nothing() -> None:
    assert tokens('s = "# no"  # yes\n', "python") == ["s", "=", '"# no"']
    assert tokens('a("//"); // b\nc();', "java") == ["a", "(", '"//"', ")", ";", "c", "(", ")", ";"]
    assert "c" in tokens("a(); // b c();", "java"), "the corpus has put the code into one line"


def test_the_index_finds_what_a_comparison_of_all_pairs_finds() -> None:
    words = [f"w{n}" for n in range(60)]
    texts = [" ".join(words[a:] + words[:a] + [str(b)] * b) for a in (0, 3) for b in range(12)]
    sets = [shingles(text, "") for text in texts]
    index = Index()
    for number, one in enumerate(sets[::2]):
        index.add(one, 2 * number)
    for one in sets[1::2]:
        best = max(jaccard(one, other) for other in sets[::2])
        found = index.nearest(one, 0.8)
        assert (found[1] if found else 0) == (best if best >= 0.8 else 0)


def test_labels_are_compared_only_where_they_are_classes() -> None:
    (one,) = find([_example("a", JAVA, target="1")], [_example("b", RENAMED)])
    assert (one.target, one.train_target) == ("0", "1")


def test_instances_are_counted_once_whatever_of_them_is_shared() -> None:
    train = [_example("a", JAVA, target="1"), _example("c", OTHER)]
    test = [_example("b", RENAMED), _example("d", OTHER), _example("e", "int one() { return 1; }")]
    counts = overlap("flaky-detection", train, test, find(train, test))
    assert counts == Overlap("flaky-detection", train=2, test=3, near=2, same=2, other_label=1)


@pytest.mark.parametrize("threshold", [0, -1, 1.1, float("nan")])
def test_a_threshold_that_is_none_is_refused(threshold: float) -> None:
    with pytest.raises(MtpeftError, match="threshold"):
        find([_example("a", JAVA)], [_example("b", OTHER)], threshold)


def test_scores_are_compared_on_the_clean_part(tmp_path: Path) -> None:
    """Three of ten test methods are near-duplicates; the means rest on the other seven."""
    others = [OTHER.replace("trim", f"method{n}").replace("append", f"other{n}") for n in range(7)]
    write_examples(tmp_path / "train.jsonl", [_example("it", JAVA)])
    tests = [RENAMED, *others[:4], REFORMATTED, *others[4:], COMMENTED]
    write_examples(
        tmp_path / "test.jsonl", [_example(f"t{n}", text) for n, text in enumerate(tests)]
    )
    done = CliRunner().invoke(
        app,
        ["data", "audit", "flaky-detection"]
        + ["--train", str(tmp_path / "train.jsonl"), "--test", str(tmp_path / "test.jsonl")],
    )
    assert done.exit_code == 0, done.output
    assert "3 of 10 test instances (30.0%)" in done.output
    clean = paths.REGENERATED / "near-duplicates" / "flaky-detection" / "train-test" / "clean.csv"
    assert clean.read_text() == "instance_id\nt1\nt2\nt3\nt4\nt6\nt7\nt8\n"
    rows = list(csv.DictReader((clean.parent / "duplicates.csv").open()))
    assert [(r["instance_id"], r["train_id"], r["similarity"]) for r in rows] == [
        (name, "it", "1") for name in ("t0", "t5", "t9")
    ]
    for run, right in (("a", "1000010001"), ("b", "1110011001")):
        table = "".join(f"t{n},{value}\n" for n, value in enumerate(right))
        (tmp_path / f"{run}.csv").write_text(f"id,accuracy\n{table}")
    both = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    done = CliRunner().invoke(app, ["compare", *both, "--only", str(clean), "--name", "clean"])
    assert done.exit_code == 0, done.output
    folder = paths.REGENERATED / "compare" / "clean"
    (row,) = csv.DictReader((folder / "contrasts.csv").open())
    assert (row["n"], row["n_dropped"]) == ("7", "0")
    assert float(row["mean_a"]) == pytest.approx(0) and float(row["mean_b"]) == pytest.approx(3 / 7)
    assert "clean.csv alone" in done.output
    done = CliRunner().invoke(app, ["compare", *both, "--only", str(tmp_path / "none.csv")])
    assert isinstance(done.exception, MtpeftError) or done.exit_code == 2


@pytest.mark.skipif(not os.environ.get("MTPEFT_MIRROR"), reason="BigCloneBench: MTPEFT_MIRROR")
def test_thousands_of_real_functions_take_seconds() -> None:
    """6,860 functions of BigCloneBench; the candidates are checked against all pairs of a part."""
    path = Path(os.environ["MTPEFT_MIRROR"], "derived", "bigclonebench-functions.jsonl.gz")
    if not path.is_file():
        pytest.skip("the mirror has no BigCloneBench")
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in itertools.islice(stream, 6860)]
    examples = [_example(row["idx"], row["func"]) for row in rows]
    train, test = examples[::2], examples[1::2]
    began = time.process_time()
    found = {d.instance_id for d in find(train, test)}
    assert time.process_time() - began < 60
    sets = [shingles(e.inputs["code"], "java") for e in train]
    for example in test[:100]:
        one = shingles(example.inputs["code"], "java")
        assert (example.id in found) == any(jaccard(one, other) >= 0.8 for other in sets)
