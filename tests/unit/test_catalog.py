"""The catalog: every shipped file loads; a misspelt key, kind or reference is answered with the
nearest known one.
"""

import dataclasses

import pytest
from mtpeft.catalog import Catalog, loader
from mtpeft.catalog.schema import KINDS
from mtpeft.core.errors import BadInput, UnknownName
from mtpeft.core.paths import CATALOG

BACKBONE = "id: tiny\nstudy: own\ntitle: Tiny\nlabel: T\nhub: x/y\nrevision: abc\nkind: decoder\n"
METHOD = "id: q\nstudy: own\ntitle: Q\ntuning: {lora_rank: 8}\n"
TASK = (
    "id: toy\nstudy: own\ntitle: Toy\nabbreviation: TY\nmodule: toy\nevaluations:\n"
    "  - {id: toy-x, title: X, language: java, instances: 3}\n"
)


@pytest.fixture
def folder(tmp_path):
    """Write catalog files: folder(**{"tasks/toy": TASK}) → the folder."""

    def write(**files):
        for name, text in files.items():
            path = tmp_path / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


SHIPPED = sorted(p.relative_to(CATALOG).as_posix() for p in CATALOG.rglob("*.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_file_loads(name):
    kind = name.split("/")[0]
    assert kind in KINDS, f"a folder of no kind: {kind}"
    items = loader._read(CATALOG / name, KINDS[kind])
    assert items
    assert all(item.id for item in items)


def test_the_shipped_catalog_loads_as_a_whole(known):
    loaded = sum(len(getattr(known, kind)) for kind in KINDS)
    assert loaded >= len(SHIPPED)


def test_study_a_is_all_there(known):
    runs = {r.id for r in known.study("runs", "a")}
    for size in ("0.5b", "1.5b", "3b"):
        assert {
            f"qwen2.5-coder-{size}/{r}"
            for r in (
                "mt-qlora",
                "mt-fft",
                "st-qlora/generation",
                "st-qlora/summarization",
                "st-qlora/translation",
            )
        } <= runs
    assert sum("+" in r for r in runs) == 3
    assert len(list(known.study("tables", "a"))) == 18
    assert len(list(known.study("comparisons", "a"))) == 25


def test_every_output_of_the_study_belongs_to_one_comparison(known):
    files = [o.file for c in known.comparisons.values() for o in c.outputs]
    assert len(files) == len(set(files)) == 56


def test_a_printed_label_names_one_metric_of_its_comparison(known):
    metrics = known.metrics()
    for comparison in known.comparisons.values():
        labels = [label for m in comparison.metrics for label in metrics[m][1].printed]
        # One label may serve two metrics only if no comparison holds both.
        assert len(labels) == len(set(labels)), comparison.id


@pytest.mark.parametrize(
    "text, line, expected",
    [
        (BACKBONE + "revison: x\n", 8, "revision"),
        (BACKBONE.replace("hub:", "hubb:"), 5, "hub"),
        (BACKBONE + "label: again\n", 8, "each key once"),
        (BACKBONE.replace("label: T\n", ""), 1, "these keys"),
        (BACKBONE.replace("title: Tiny", "title: [1]"), 3, "a str"),
        (BACKBONE.replace("title: Tiny", "title: 5"), 3, "a str"),
        (BACKBONE + "config: [1]\n", 8, "a mapping"),
        (BACKBONE + "config: {a: 1, a: 2}\n", 8, "each key once"),
        (BACKBONE + "config: {a: {b: 1, b: 2}}\n", 8, "each key once"),
        ("just text\n", 1, "a mapping"),
        ("id: [\n", 2, "a YAML mapping"),
        ("", None, "the keys"),
    ],
)
def test_a_malformed_file_is_refused_by_line(folder, text, line, expected):
    with pytest.raises(BadInput) as error:
        Catalog.load([folder(**{"backbones/tiny": text})])
    assert error.value.path.name == "tiny.yaml"
    assert error.value.line == line
    assert expected in error.value.expected


def test_a_number_where_an_integer_belongs_is_refused(folder):
    with pytest.raises(BadInput, match="3.5"):
        Catalog.load([folder(**{"tasks/toy": TASK.replace("instances: 3", "instances: 3.5")})])
    with pytest.raises(BadInput, match="bool"):
        Catalog.load([folder(**{"tasks/toy": TASK.replace("instances: 3", "instances: true")})])


def test_an_id_can_be_taken_only_once(folder):
    with pytest.raises(BadInput, match="'tiny' is taken"):
        Catalog.load([folder(**{"backbones/a": BACKBONE, "backbones/b": BACKBONE})])


@pytest.mark.parametrize(
    "change, found",
    [
        (("backbone: tiny", "backbone: tinny"), "did you mean tiny"),
        (("method: q", "method: qq"), "did you mean q"),
        (("[toy]", "[toyy]"), "did you mean toy"),
    ],
)
def test_a_reference_to_nothing_is_answered_with_the_nearest(folder, change, found):
    run = "id: tiny/st-q\nstudy: own\nbackbone: tiny\nmethod: q\narm: st\ntasks: [toy]\n"
    files = {"backbones/b": BACKBONE, "methods/m": METHOD, "tasks/t": TASK}
    Catalog.load([folder(**files, **{"runs/r": run})])
    with pytest.raises(UnknownName, match=found):
        Catalog.load([folder(**files, **{"runs/r": run.replace(*change)})])


COMPARISON = (
    "id: c\nstudy: own\nquestion: Q\ntitle: T\ntest: wilcoxon\ntask: generation-java\npairing: id\nfamily: block\n"
    "adjustment: holm\nside_a: A\nside_b: B\nmetrics: [lizard_loc]\noutputs: []\n"
    "blocks:\n  - {id: 3b, a: qwen2.5-coder-3b/mt-qlora, b: qwen2.5-coder-3b/mt-fft}\n"
)


@pytest.mark.parametrize(
    "change, found",
    [
        (("lizard_loc", "lizard_lok"), "lizard_loc"),
        (("b: qwen2.5-coder-3b/mt-fft", "b: qwen2.5-coder-3b/mt-ftf"), "mt-fft"),
        (("task: generation-java", "task: generation-jaba"), "generation-java"),
    ],
)
def test_a_comparison_of_what_does_not_exist_is_refused(folder, change, found):
    Catalog.load([CATALOG, folder(**{"comparisons/c": COMPARISON})])
    with pytest.raises(UnknownName, match=f"did you mean.*{found}"):
        Catalog.load([CATALOG, folder(**{"comparisons/c": COMPARISON.replace(*change)})])


def test_an_unknown_name_is_answered_with_the_nearest(known):
    with pytest.raises(UnknownName, match="did you mean translation"):
        known.get("tasks", "translaton")


def test_a_folder_from_outside_adds_to_the_catalog(monkeypatch, folder):
    monkeypatch.setenv("MTPEFT_CATALOG", str(folder(**{"tasks/toy": TASK})))
    loader.catalog.cache_clear()
    try:
        assert {"toy", "generation"} <= set(loader.catalog().tasks)
        assert loader.catalog().evaluations()["toy-x"].instances == 3
    finally:
        loader.catalog.cache_clear()


def test_a_folder_from_outside_that_is_not_there_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("MTPEFT_CATALOG", str(tmp_path / "gone"))
    loader.catalog.cache_clear()
    try:
        with pytest.raises(BadInput, match="MTPEFT_CATALOG"):
            loader.catalog()
    finally:
        loader.catalog.cache_clear()


def test_every_kind_of_thing_has_an_id():
    assert all("id" in {f.name for f in dataclasses.fields(record)} for record in KINDS.values())
