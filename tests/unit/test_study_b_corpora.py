"""Study B's examples: upstream layouts, the split of the flaky tests, the project's own sets."""

import gzip
import json
import os
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the group `train` is not installed (make test-train)")

from mtpeft.catalog import catalog
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.corpora import Example, load, write_examples
from mtpeft.corpora.analysis import examples, flakeflagger, formats, own, search
from mtpeft.statistics.figures import FigureSet
from mtpeft.tasks.encoding import encoded_task, head_of

TASKS = [t.id for t in catalog().of("tasks", "multitask-peft")]
mirrored = pytest.mark.skipif(
    not os.environ.get("MTPEFT_MIRROR"), reason="the real sets need MTPEFT_MIRROR"
)


def _methods(positives: int, negatives: int) -> list[Example]:
    return [
        Example(
            f"m{i}",
            "flaky-detection",
            "java",
            {"code": f"void t{i}() {{ }}"},
            str(int(i < positives)),
        )
        for i in range(positives + negatives)
    ]


def test_the_split_has_exact_sizes_no_overlap_and_follows_the_seed() -> None:
    sizes = {"train": (12, 5), "valid": (5, 2), "test": (6, 2)}
    methods = _methods(9, 14)
    one, same, other = (flakeflagger.split(methods, seed, sizes) for seed in (1, 1, 2))
    assert one == same != other
    assert {name: (len(s), sum(e.target == "1" for e in s)) for name, s in one.items()} == sizes
    assert sorted(e.id for s in one.values() for e in s) == sorted(e.id for e in methods)
    with pytest.raises(BadInput, match="class 1"):
        flakeflagger.split(methods[1:], 1, sizes)


def test_the_splits_sizes_are_those_that_the_study_states() -> None:
    sets = FigureSet.of(catalog().studies["multitask-peft"]).sets
    for name, (n, positives) in flakeflagger.SIZES.items():
        assert (
            sets["flaky-detection", name].examples,
            sets["flaky-detection", name].positives,
        ) == (n, positives)


def test_methods_with_the_same_code_on_both_sides_are_counted() -> None:
    a, b, c = _methods(1, 2)
    twin, liar = (
        Example("x", a.task, "java", a.inputs, "1"),
        Example("y", a.task, "java", b.inputs, "1"),
    )
    assert flakeflagger.leaks({"train": [a, b], "valid": [c], "test": [twin, liar]}) == {
        "valid": 0,
        "valid_other_label": 0,
        "test": 2,
        "test_other_label": 1,
    }


def test_a_damaged_line_of_the_flaky_tests_is_named(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl.gz"
    good = json.dumps({"path": "a/original_tests/p/x.java", "label": 1, "code": "void  t()\n{ }"})
    path.write_bytes(gzip.compress(f'{good}\n{{"path": 3}}\n'.encode()))
    with pytest.raises(BadInput) as caught:
        flakeflagger.read(path)
    assert caught.value.line == 2
    path.write_bytes(gzip.compress(f"{good}\n".encode()))
    (only,) = flakeflagger.read(path)
    assert only == Example("p/x.java", "flaky-detection", "java", {"code": "void t() { }"}, "1")


def test_upstream_layouts_are_read(tmp_path: Path) -> None:
    (one,) = formats.devign([{"func": "int f ()\n{}", "target": True, "idx": 7}])
    assert (one.id, one.inputs, one.target) == ("devign-7", {"code": "int f () {}"}, "1")
    data, pairs = tmp_path / "data.jsonl", tmp_path / "train.txt"
    data.write_text('{"idx": "1", "func": "a  b"}\n{"idx": "2", "func": "c"}\n')
    pairs.write_text("1\t2\t1\n1\t9\t0\n")
    (pair,) = formats.clone_files(data, pairs)
    assert (pair.inputs, pair.target) == ({"code1": "a b", "code2": "c"}, "1")
    pairs.write_text("1\t2\t1\n1 2 0\n")
    with pytest.raises(BadInput) as caught:
        list(formats.clone_files(data, pairs))
    assert caught.value.line == 2
    rows = formats.search_rows(
        [{"code_tokens": ["a"], "function_tokens": ["b", "c"], "docstring_tokens": ["d"], "idx": 1}]
    )
    assert next(rows).inputs == {"query": "d", "code": "b c"}
    array = tmp_path / "flaky.json"
    array.write_text('[{"code": "t", "label": 0}, {"code": "u"}]')
    with pytest.raises(BadInput, match="entry 1"):
        list(formats.flaky_array(array))


def test_a_label_that_is_no_class_is_refused() -> None:
    with pytest.raises(ValueError, match="neither"):
        list(formats.devign([{"func": "f", "target": 2}]))


@pytest.mark.parametrize("task", TASKS)
def test_own_sets_have_both_classes_in_every_split_and_no_code_in_two(task: str) -> None:
    module = encoded_task(task)
    splits = {name: own(task, name) for name in ("train", "valid", "test")}
    for found in splits.values():
        assert found and all(module.texts(e) for e in found)
        assert head_of(task) == "ranking" or {e.target for e in found} == {"0", "1"}
    assert max(Counter(e.id for s in splits.values() for e in s).values()) == 1


def test_unknown_names_are_answered() -> None:
    with pytest.raises(UnknownName, match="flaky-detection"):
        examples("flaky", "test")
    with pytest.raises(UnknownName, match="own"):
        examples("flaky-detection", "test", "owm")
    with pytest.raises(MtpeftError, match="no train split"):
        examples("code-search", "train", "cosqa")
    with pytest.raises(UnknownName, match="valid"):
        load("multitask-peft", "code-search", "val")


def test_the_search_split_covers_the_set_once() -> None:
    made = [
        Example(str(i), "code-search", "python", {"query": "q", "code": str(i)}, "1")
        for i in range(17)
    ]
    parts = search.split(made)
    assert [len(p) for p in parts.values()] == [10, 4, 3] and sorted(
        int(e.id) for p in parts.values() for e in p
    ) == list(range(17))


@mirrored
def test_the_real_sets_have_the_sizes_that_are_stated() -> None:
    assert {s: len(examples("flaky-detection", s)) for s in ("train", "valid", "test")} == {
        "train": 13081,
        "valid": 4360,
        "test": 4361,
    }
    assert sum(len(examples("code-search", s, "cloze")) for s in ("train", "valid", "test")) == 1264
    cosqa = examples("code-search", "test", "cosqa")
    assert (len(cosqa), sum(e.target == "1" for e in cosqa)) == (604, 313)


def test_a_folder_of_yours_is_read_in_upstream_layouts_or_in_the_projects_own(
    tmp_path: Path,
) -> None:
    for task in TASKS:
        (tmp_path / task).mkdir()
    (tmp_path / "vulnerability-detection" / "test.jsonl").write_text(
        '{"func": "int f() {}", "target": 1}\n'
    )
    (tmp_path / "clone-detection" / "data.jsonl").write_text(
        '{"idx": "1", "func": "a"}\n{"idx": "2", "func": "b"}\n'
    )
    (tmp_path / "clone-detection" / "test.txt").write_text("1\t2\t0\n")
    (tmp_path / "code-search" / "test.jsonl").write_text(
        '{"code_tokens": ["a"], "docstring_tokens": ["b"]}\n'
    )
    (tmp_path / "flaky-detection" / "test.json").write_text('[{"code": "void t() {}", "label": 1}]')
    found = {task: load(str(tmp_path), task, "test") for task in TASKS}
    assert [(t, len(e), e[0].task) for t, e in found.items()] == [(t, 1, t) for t in TASKS]
    (tmp_path / "code-search" / "valid.jsonl").write_text('{"code_tokens": ["a"]}\n')
    with pytest.raises(BadInput, match="doc"):
        load(str(tmp_path), "code-search", "valid")
    with pytest.raises(BadInput, match=r"train.txt: no such file"):
        load(str(tmp_path), "clone-detection", "train")
    write_examples(tmp_path / "train.jsonl", _methods(1, 1))
    assert (
        len(load(str(tmp_path), "flaky-detection", "train")) == 2
        and load(str(tmp_path), "code-search", "train") == []
    )


def test_corpora_of_study_b_name_their_source() -> None:
    assert load("multitask-peft-own", "code-search", "test") == own("code-search", "test")
    with pytest.raises(UnknownName, match="multitask-peft-own"):
        load("multitask-peft-onw", "code-search", "test")


def test_the_flaky_tests_are_built_from_the_public_repository(tmp_path, monkeypatch):
    """What outsiders build is what the mirror has: the same rule, from a checkout of the files."""
    import gzip

    from mtpeft.corpora import derived
    from mtpeft.corpora.analysis import flakeflagger as made

    top = tmp_path / "mirror" / made.REPOSITORY / made.COMMIT / made.METHODS
    texts = {"b/nonFlakyMethods/B.java": "b\r\n\u2028é", "a/flakyMethods/A.java": "a\n"}
    for name, text in texts.items():
        (top / name).parent.mkdir(parents=True)
        (top / name).write_bytes(text.encode())
    monkeypatch.setenv("MTPEFT_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setattr("mtpeft.core.paths.CACHE", tmp_path / "cache")
    text = made.build()
    assert text.splitlines()[0] == (
        f'{{"path": "{made.METHODS}/a/flakyMethods/A.java", "label": 1, "code": "a\\n"}}'
    )
    (tmp_path / "x.gz").write_bytes(gzip.compress(text.encode()))
    found = made.read(tmp_path / "x.gz")
    assert [(e.id, e.target) for e in found] == [
        ("a/flakyMethods/A.java", "1"),
        ("b/nonFlakyMethods/B.java", "0"),
    ]
    with pytest.raises(MtpeftError, match="from its upstream has SHA-256"):
        derived.built("flaky-detection/methods")
