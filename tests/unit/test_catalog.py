"""The catalog: every shipped file loads; a misspelt key, kind or reference is answered with the
nearest known one.
"""

import dataclasses
import importlib
import itertools
import os
import pkgutil
import re
import sys

import pytest
from mtpeft.catalog import load, loader, nodes, schema
from mtpeft.catalog.places import present
from mtpeft.catalog.schema import KINDS, OWNED
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.core.paths import CATALOG, STUDIES
from typer.testing import CliRunner

BACKBONE = 'id: tiny\ntitle: Tiny\nlabel: T\nhub: x/y\nrevision: "1234567890123456789012345678901234567890"\nkind: decoder\n'
METHOD = "id: q\ntitle: Q\ntuning: {lora_rank: 8}\n"
TASK = (
    "id: toy\ntitle: Toy\nabbreviation: TY\nmodule: toy\noutput: code\nevaluations:\n"
    "  - {id: toy-x, title: X, language: java, instances: 3}\n"
)


@pytest.fixture
def folder(tmp_path):
    """Write catalog files: folder(**{"tasks/toy": TASK}) → the folder."""

    def write(**files):
        for name, text in files.items():
            owned = name.split("/")[0] in OWNED
            path = tmp_path / ("studies/mine" if owned else "") / f"{name}.yaml"
            if owned:
                (tmp_path / "studies" / "mine").mkdir(parents=True, exist_ok=True)
                (tmp_path / "studies" / "mine" / "study.yaml").write_text("title: Mine\n")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


SHIPPED = sorted([*CATALOG.rglob("*.yaml"), *STUDIES.glob("*/*/**/*.yaml")])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_shipped_file_loads(path):
    assert nodes.nodes_of(path, KINDS[path.parent.name])


def test_the_shipped_catalog_loads_as_a_whole(known):
    assert {kind: len(getattr(known, kind)) for kind in KINDS} == {
        "studies": 5,
        "tasks": 10,
        "backbones": 23,
        "methods": 8,
        "runs": 285,
        "tools": 31,
        "comparisons": 43,
        "tables": 36,
        "figures": 5,
        "claims": 23,
    }


def test_study_a_is_all_there(known):
    runs = {r.id for r in known.of("runs", "multitask-qlora")}
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
    assert len(list(known.of("tables", "multitask-qlora"))) == 18
    assert len(list(known.of("comparisons", "multitask-qlora"))) == 25


def test_every_output_of_the_study_belongs_to_one_comparison(known):
    files = [o.file for c in known.of("comparisons", "multitask-qlora") for o in c.outputs]
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
        (BACKBONE + "revison: x\n", 7, "revision"),
        (BACKBONE.replace("hub:", "hubb:"), 4, "hub"),
        (BACKBONE + "label: again\n", 7, "each key once"),
        (BACKBONE.replace("label: T\n", ""), 1, "these keys"),
        (BACKBONE.replace("title: Tiny", "title: [1]"), 2, "text"),
        (BACKBONE.replace("title: Tiny", "title: 5"), 2, 'text, in quotes: "5"'),
        (BACKBONE + "config: [1]\n", 7, "a mapping"),
        (BACKBONE.replace("kind: decoder", "kind: decodr"), 6, "did you mean decoder"),
        (BACKBONE.replace("kind: decoder", "kind: true"), 6, "one of decoder"),
        (BACKBONE + "config: {a: 1, a: 2}\n", 7, "each key once"),
        (BACKBONE + "config: {a: {b: 1, b: 2}}\n", 7, "each key once"),
        ("just text\n", 1, "a mapping"),
        ("id: [\n", 2, "a YAML mapping"),
        ("", None, "the keys"),
    ],
)
def test_a_malformed_file_is_refused_by_line(folder, text, line, expected):
    with pytest.raises(BadInput) as error:
        load([folder(**{"backbones/tiny": text})])
    assert error.value.path.name == "tiny.yaml"
    assert error.value.line == line
    assert expected in error.value.expected


def test_a_number_where_an_integer_belongs_is_refused(folder):
    with pytest.raises(BadInput, match="3.5"):
        load([folder(**{"tasks/toy": TASK.replace("instances: 3", "instances: 3.5")})])
    with pytest.raises(BadInput, match="True is true or false"):
        load([folder(**{"tasks/toy": TASK.replace("instances: 3", "instances: true")})])


def test_an_id_can_be_taken_only_once(folder):
    with pytest.raises(BadInput, match="id 'tiny' of a backbone is taken"):
        load([folder(**{"backbones/a": BACKBONE, "backbones/b": BACKBONE})])


def test_ids_that_one_file_system_takes_for_one_are_refused(folder):
    other = BACKBONE.replace("id: tiny", "id: Tiny")
    with pytest.raises(BadInput, match="b.yaml.*differs from 'tiny' in case alone"):
        load([folder(**{"backbones/a": BACKBONE, "backbones/b": other})])


@pytest.mark.parametrize(
    "change, found",
    [
        (("backbone: tiny", "backbone: tinny"), "did you mean tiny"),
        (("method: q", "method: qq"), "did you mean q"),
        (("[toy]", "[toyy]"), "did you mean toy"),
    ],
)
def test_a_reference_to_nothing_is_answered_with_the_nearest(folder, change, found):
    run = "id: tiny/st-q\nbackbone: tiny\nmethod: q\nregime: st\ntasks: [toy]\n"
    files = {"backbones/b": BACKBONE, "methods/m": METHOD, "tasks/t": TASK}
    load([folder(**files, **{"runs/r": run})])
    with pytest.raises(BadInput, match=found) as error:
        load([folder(**files, **{"runs/r": run.replace(*change)})])
    assert error.value.path.name == "r.yaml"
    assert error.value.line == 1 + next(
        n for n, line in enumerate(run.splitlines()) if change[0] in line
    )


COMPARISON = (
    "id: c\nquestion: Q\ntitle: T\ntest: wilcoxon\ntask: generation-java\n"
    "pairing: id\nfamily: block\n"
    "adjustment: holm\nside_a: A\nside_b: B\nmetrics: [lizard_loc]\noutputs: []\n"
    "blocks:\n  - {id: 3b, a: qwen2.5-coder-3b/mt-qlora, b: qwen2.5-coder-3b/mt-fft}\n"
)


@pytest.mark.parametrize(
    "change, line, found",
    [
        (("lizard_loc", "lizard_lok"), 11, "lizard_loc"),
        (("qwen2.5-coder-3b/mt-fft", "qwen2.5-coder-3b/mt-ftf"), 14, "mt-fft"),
        (("task: generation-java", "task: generation-jaba"), 5, "generation-java"),
        (("test: wilcoxon", "test: wilcoxn"), 4, "wilcoxon"),
        (("pairing: id", "pairing: postion"), 6, "position"),
        (("family: block", "family: blocks"), 7, "block"),
        (("adjustment: holm", "adjustment: hollm"), 8, "holm"),
        (("outputs: []", "outputs: [{file: x.txt, variant: CLEEN, adjustment: bh}]"), 12, "CLEAN"),
    ],
)
def test_an_unknown_word_in_a_comparison_is_refused_and_not_read_as_another(
    folder, change, line, found
):
    load([CATALOG, STUDIES, folder(**{"comparisons/c": COMPARISON})])
    with pytest.raises(BadInput, match=f"did you mean.*{found}") as error:
        load([CATALOG, STUDIES, folder(**{"comparisons/c": COMPARISON.replace(*change)})])
    assert (error.value.path.name, error.value.line) == ("c.yaml", line)


TABLE = "id: t\nnumber: T\ntitle: T\nkind: comparison\ncomparisons: [rq1-pass1]\n"
FIGURE = (
    "id: f\nnumber: F\ntitle: F\nkind: slope\noptions:\n"
    "  panels:\n    - {comparison: rq1-pass1, evaluation: generation-java, metric: pass@1}\n"
)
CLAIM = (
    "id: X1\ntext: T\nsource: S\nkind: none_significant\ntable: table-4\noptions:\n"
    "  comparisons: [rq1-pass1]\n  blocks: [java-3b]\n  adjustment: bh\n"
)


@pytest.mark.parametrize(
    "name, text, change, line, found",
    [
        ("tables/t", TABLE, ("kind: comparison", "kind: comparsion"), 4, "comparison"),
        ("tables/t", TABLE, ("[rq1-pass1]", "[rq1-pas1]"), 5, "rq1-pass1"),
        ("tables/t", TABLE + "options: {without: [pass@1]}\n", ("without", "witout"), 6, "without"),
        ("tables/t", TABLE + "options: {without: [pass@1]}\n", ("pass@1", "pass@2"), 6, "pass@1"),
        ("figures/f", FIGURE, ("kind: slope", "kind: slop"), 4, "slope"),
        ("figures/f", FIGURE, ("metric: pass@1", "metric: pass1"), 7, "pass@1"),
        (
            "figures/f",
            FIGURE,
            ("evaluation: generation-java", "evaluation: generation-jva"),
            7,
            "generation-java",
        ),
        (
            "claims/x",
            CLAIM,
            ("kind: none_significant", "kind: non_significant"),
            4,
            "none_significant",
        ),
        ("claims/x", CLAIM, ("table: table-4", "table: table4"), 5, "table-4"),
        ("claims/x", CLAIM, ("java-3b", "java3b"), 8, "java-3b"),
        ("claims/x", CLAIM, ("adjustment: bh", "adjustment: bhh"), 9, "bh"),
        ("claims/x", CLAIM, ("adjustment:", "adjustement:"), 9, "adjustment"),
    ],
)
def test_an_unknown_kind_option_or_name_in_options_is_refused_by_line(
    folder, name, text, change, line, found
):
    load([CATALOG, STUDIES, folder(**{name: text})])
    with pytest.raises(BadInput, match=f"did you mean.*{found}") as error:
        load([CATALOG, STUDIES, folder(**{name: text.replace(*change)})])
    assert error.value.line == line


def test_a_claim_without_an_option_that_its_rule_needs_is_refused_when_loaded(folder):
    with pytest.raises(BadInput, match="without option adjustment"):
        load([CATALOG, STUDIES, folder(**{"claims/x": CLAIM.replace("  adjustment: bh\n", "")})])


def test_a_kind_that_is_a_module_outside_keeps_its_own_options(folder):
    own = TABLE.replace("kind: comparison", "kind: mine.table") + "options: {metric: whatever}\n"
    assert load([CATALOG, STUDIES, folder(**{"tables/t": own})]).tables["t"].options == {
        "metric": "whatever"
    }


def test_the_catalog_knows_just_the_kinds_that_are_built_drawn_and_judged():
    from mtpeft.verification import claims

    for package, function, kinds in (
        ("tables", "build", schema.TABLE_KINDS),
        ("figures", "draw", schema.FIGURE_KINDS),
    ):
        names = [
            m.name for m in pkgutil.iter_modules([str(CATALOG.parent / "reporting" / package)])
        ]
        made = (importlib.import_module(f"mtpeft.reporting.{package}.{name}") for name in names)
        assert {m.__name__.rpartition(".")[2] for m in made if hasattr(m, function)} == set(kinds)
    assert set(schema.CLAIM_KINDS) == set(claims.RULES)
    assert schema.CLAIM_WORDS == claims.editions.SUPPORT


@pytest.mark.parametrize(
    "change, found",
    [
        ("unparseable_when: {lines: 0}", "line"),
        ("unparseable_metrics: [lins]", "line"),
        ("archive: {x: toy-y}", "toy-x"),
        ("reads: [txt]", "text"),
        ("languages: [jav]", "java"),
    ],
)
def test_a_tool_that_names_what_is_not_its_own_is_refused(folder, change, found):
    tool = (
        "id: tool\ntitle: T\nversion: '1'\nmodule: m\nreads: [code]\n"
        "metrics:\n  - {id: line, title: L, better: lower, printed: [], column: ''}\n"
    )
    files = {"tasks/t": TASK}
    load([folder(**files, **{"tools/t": tool})])
    text = (
        tool.replace("reads: [code]", change) if change.startswith("reads") else f"{tool}{change}\n"
    )
    with pytest.raises(BadInput, match=f"did you mean.*{found}"):
        load([folder(**files, **{"tools/t": text})])


# ---------------------------------------------------------------- matrix and extends


def test_a_matrix_is_every_combination_in_order(folder):
    runs = (
        "matrix: {size: [s, l], pair: [[toy, doy], [toy]]}\n"
        "id: '{size}/{pair}'\nbackbone: '{size}'\n"
        "method: q\nregime: mt\ntasks: '{pair}'\n"
    )
    files = {
        "methods/m": METHOD,
        "tasks/t": TASK,
        "tasks/u": TASK.replace("toy", "doy"),
        "backbones/s": BACKBONE.replace("tiny", "s"),
        "backbones/l": BACKBONE.replace("tiny", "l"),
    }
    known = load([folder(**files, **{"runs/r": runs})])
    assert {r.id: (r.backbone, r.tasks) for r in known.runs.values()} == {
        "s/toy+doy": ("s", ["toy", "doy"]),
        "s/toy": ("s", ["toy"]),
        "l/toy+doy": ("l", ["toy", "doy"]),
        "l/toy": ("l", ["toy"]),
    }


NESTED = """matrix: {size: [s, l]}
items:
  - {id: "{size}", title: T, tuning: {one: 1}}
  - matrix: {m: [{id: x, n: 3}, {id: y, n: 4}]}
    id: "{size}/{m.id}"
    title: T
    tuning: {n: "{m.n}"}
"""


def test_a_list_is_repeated_for_each_value_and_a_lone_name_keeps_its_type(folder):
    known = load([folder(**{"methods/m": NESTED})])
    assert {m.id: m.tuning for m in known.methods.values()} == {
        "s": {"one": 1},
        "s/x": {"n": 3},
        "s/y": {"n": 4},
        "l": {"one": 1},
        "l/x": {"n": 3},
        "l/y": {"n": 4},
    }


@pytest.mark.parametrize(
    "change, line, found",
    [
        (("{m.id}", "{mm.id}"), 5, "did you mean m"),
        (("{m.id}", "{m.idd}"), 5, "did you mean id"),
        (("{m.id}", "x{m}"), 5, "one of its keys"),
        (("[s, l]", "[]"), 1, "a list of values"),
        (("[s, l]", "s"), 1, "a list of"),
        (("matrix: {m:", "matrix: {size:"), 4, "a name of its own"),
        (("items:", "title: x\nitems:"), 2, "items alone"),
    ],
)
def test_a_wrong_matrix_is_refused_by_line(folder, change, line, found):
    with pytest.raises(BadInput, match=found) as error:
        load([folder(**{"methods/m": NESTED.replace(*change)})])
    assert error.value.line == line


def test_an_extension_overrides_key_by_key_and_null_takes_away(folder):
    base = "id: base\nabstract: true\ntuning: {a: 1, b: {x: 1, y: 2}, c: [1, 2], d: 4}\n"
    child = (
        "id: child\nextends: base\ntitle: Child\ntuning: {b: {y: 3, z: 5}, c: [9], d: null, e: 6}\n"
    )
    grandchild = "id: grandchild\nextends: child\ntitle: G\ntuning: {a: 7}\n"
    known = load([folder(**{"methods/z": base, "methods/a": child, "methods/b": grandchild})])
    assert {m.id: m.tuning for m in known.methods.values()} == {
        "child": {"a": 1, "b": {"x": 1, "y": 3, "z": 5}, "c": [9], "e": 6},
        "grandchild": {"a": 7, "b": {"x": 1, "y": 3, "z": 5}, "c": [9], "e": 6},
    }
    assert list(known.methods["grandchild"].tuning) == ["a", "b", "c", "e"]


def test_an_extension_of_nothing_or_of_itself_is_refused_by_line(folder):
    with pytest.raises(
        BadInput, match="unknown method to extend 'bas'.*\n.*did you mean base"
    ) as error:
        load(
            [
                folder(
                    **{
                        "methods/a": METHOD.replace("id: q", "id: base"),
                        "methods/b": "id: b\nextends: bas\n",
                    }
                )
            ]
        )
    assert (error.value.path.name, error.value.line) == ("b.yaml", 2)
    with pytest.raises(BadInput, match="circle"):
        load([folder(**{"methods/a": "id: a\nextends: b\n", "methods/b": "id: b\nextends: a\n"})])


def test_an_error_in_what_is_inherited_names_the_file_in_which_it_stands(folder):
    base = "id: base\nabstract: true\ntitle: [1]\n"
    with pytest.raises(BadInput) as error:
        load([folder(**{"methods/a": base, "methods/b": "id: b\nextends: base\ntuning: {}\n"})])
    assert (error.value.path.name, error.value.line) == ("a.yaml", 3)


# ---------------------------------------------------------------- withdrawn runs, what an output is


def withdrawn(known):
    runs = dict(known.runs)
    runs["qwen2.5-coder-3b/mt-fft"] = dataclasses.replace(
        runs["qwen2.5-coder-3b/mt-fft"], withdrawn="trained on the test set"
    )
    return dataclasses.replace(known, runs=runs)


@pytest.mark.parametrize("command", [["train"], ["infer"], ["plan"]])
def test_a_withdrawn_run_is_refused_with_its_reason(known, monkeypatch, command):
    from mtpeft import cli

    monkeypatch.setattr(loader, "catalog", lambda: withdrawn(known))
    for module in (
        "tuning.stage",
        "tuning.estimate",
        "inference.command",
    ):
        __import__(f"mtpeft.{module}")
        monkeypatch.setattr(f"mtpeft.{module}.catalog", lambda: withdrawn(known))
    result = CliRunner().invoke(cli.app, [*command, "qwen2.5-coder-3b/mt-fft"])
    assert isinstance(result.exception, MtpeftError)
    assert "withdrawn: trained on the test set" in str(result.exception)


def test_answers_of_a_withdrawn_run_are_not_scored(known, monkeypatch, tmp_path):
    from mtpeft import cli
    from mtpeft.scoring import predictions

    monkeypatch.setattr(predictions, "catalog", lambda: withdrawn(known))
    path = tmp_path / "answers.jsonl"
    first = min(predictions.known_ids("summarization-java"))
    path.write_text(
        '{"run": "qwen2.5-coder-3b/mt-fft", "task": "summarization-java", '
        f'"instance_id": "{first}", "prompt_sha256": "", "raw_output": "", "output": "Adds.", '
        '"finish_reason": "stop", "seconds": 0}\n'
    )
    result = CliRunner().invoke(cli.app, ["score", str(path)])
    assert isinstance(result.exception, MtpeftError), result.output
    assert "withdrawn: trained on the test set" in str(result.exception)


def test_a_withdrawn_run_stays_listed_with_its_reason(known, monkeypatch):
    from mtpeft import cli

    monkeypatch.setattr("mtpeft.catalog.catalog", lambda: withdrawn(known))
    lines = CliRunner().invoke(cli.app, ["list", "runs"]).output.splitlines()
    assert [x for x in lines if "withdrawn" in x and "qwen" in x] == [
        f"{'qwen2.5-coder-3b/mt-fft':55} withdrawn: trained on the test set"
    ]


def test_ids_are_listed_alone():
    from mtpeft import cli

    lines = CliRunner().invoke(cli.app, ["list", "runs", "--ids"]).output.splitlines()
    assert "qwen2.5-coder-3b/mt-qlora/generation+translation" in lines
    assert len(lines) == 285


def test_an_evaluation_set_is_what_its_task_says_unless_it_says_otherwise(folder):
    more = TASK + "  - {id: toy-y, title: Y, language: java, instances: 3, output: text}\n"
    known = load([folder(**{"tasks/t": more})])
    assert (known.output_of("toy-x"), known.output_of("toy-y")) == ("code", "text")


# ---------------------------------------------------------------- studies


def test_a_study_knows_its_title_authors_and_what_its_archive_lacks(known):
    study = known.studies["multitask-qlora"]
    assert (study.title[:31], study.arxiv, len(study.authors)) == (
        "Parameter-Efficient Multi-Task ",
        "2601.15094",
        3,
    )
    assert sum(len(a.runs) for a in study.absent) == 26
    assert [e.id for e in known.studies["multitask-peft"].editions] == ["G1", "G2", "AD"]


def test_just_what_a_study_says_is_absent_has_no_scores(known, archived):
    """Scores that a comparison needs and the archive lacks, against the list in study.yaml."""
    lacking = set()
    known = present(known)
    for comparison in known.comparisons.values():
        for block in comparison.blocks:
            task = block.task or comparison.task
            for metric in comparison.metrics:
                tools = [t.id for t in known.tools.values() if metric in {m.id for m in t.metrics}]
                tool = next(t for t in tools if known.tools[t].archive)
                for run in (block.a, block.b):
                    if not archived.has(run, task, metric):
                        lacking.add((tool, task, run))
    said = {
        (a.tool, a.evaluation, run)
        for study in known.studies.values()
        for a in study.absent
        for run in a.runs
    }
    assert lacking == said


def test_what_a_study_does_not_list_follows_from_its_runs_and_comparisons(folder):
    run = "id: tiny/st-q\nbackbone: tiny\nmethod: q\nregime: st\ntasks: [toy]\n"
    files = {"backbones/b": BACKBONE, "methods/m": METHOD, "tasks/t": TASK, "runs/r": run}
    at = folder(**files)
    (at / "studies" / "mine" / "runs").mkdir(parents=True)
    (at / "runs" / "r.yaml").rename(at / "studies" / "mine" / "runs" / "r.yaml")
    (at / "studies" / "mine" / "study.yaml").write_text("title: Mine\n")
    known = load([at])
    names = {k: [i.id for i in known.of(k, "mine")] for k in ("runs", "tasks", "methods", "tools")}
    assert names == {"runs": ["tiny/st-q"], "tasks": ["toy"], "methods": ["q"], "tools": []}


def test_a_run_alone_belongs_to_no_study_and_a_comparison_alone_is_refused(folder):
    files = {"backbones/b": BACKBONE, "methods/m": METHOD, "tasks/t": TASK}
    run = "id: tiny/st-q\nbackbone: tiny\nmethod: q\nregime: st\ntasks: [toy]\n"
    at = folder(**files, **{"runs/r": run})
    assert load([at]).runs["tiny/st-q"].study == ""
    (at / "comparisons").mkdir()
    (at / "comparisons" / "c.yaml").write_text(COMPARISON)
    with pytest.raises(BadInput, match="outside a study"):
        load([at])


@pytest.mark.parametrize(
    "name, found",
    [
        ("comparison/c.yaml", "comparisons"),
        ("claims/c.yml", "c.yaml"),
        ("studie.yaml", "study.yaml"),
    ],
)
def test_a_file_of_a_study_that_nothing_would_read_is_refused(tmp_path, name, found):
    (tmp_path / "study.yaml").write_text("title: Mine\n")
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("id: x\n")
    with pytest.raises(BadInput) as error:
        load([tmp_path])
    assert error.value.path == path and found in error.value.expected


@pytest.mark.parametrize(
    "text, found",
    [
        ("tasks: [toyy]\n", "toy"),
        ("absent: [{tool: x, evaluation: toy-x, reason: lost}]\n", "none"),
        ("authors: Ada\n", "a list"),
        ("arxive: 1\n", "arxiv"),
        ("id: other\n", "one of about"),
    ],
)
def test_a_wrong_study_is_refused_by_line(folder, text, found):
    at = folder(**{"tasks/t": TASK})
    (at / "studies" / "mine").mkdir(parents=True)
    (at / "studies" / "mine" / "study.yaml").write_text(f"title: Mine\n{text}")
    with pytest.raises(BadInput) as error:
        load([at])
    assert (error.value.path.name, error.value.line) == ("study.yaml", 2)
    assert found in error.value.expected


def test_a_question_that_its_study_does_not_ask_is_refused(folder):
    at = folder(**{"comparisons/c": COMPARISON})
    (at / "studies" / "mine" / "study.yaml").write_text("questions: [{id: QA, title: Why?}]\n")
    with pytest.raises(BadInput, match="unknown question 'Q'.*\n.*did you mean QA"):
        load([CATALOG, STUDIES, at])


def test_a_folder_with_nothing_for_a_catalog_is_refused(tmp_path):
    with pytest.raises(BadInput, match="nothing that belongs in a catalog"):
        load([tmp_path])


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


@pytest.mark.parametrize(
    "value", ["!!python/name:os.system x", "2001-99-99", "!!bool perhaps", "!!int x", "!new y"]
)
def test_a_value_that_yaml_cannot_make_is_refused_by_file_and_line(folder, value):
    text = TASK.replace("instances: 3", f"instances: {value}")
    with pytest.raises(BadInput, match=r"toy\.yaml:7") as caught:
        load([folder(**{"tasks/toy": text})])
    assert "instances" in str(caught.value) or "plain" in str(caught.value)


def test_a_folder_that_is_named_twice_is_read_once(folder, monkeypatch):
    """`mtpeft --catalog FOLDER proof STUDY` starts itself again with the option and the variable."""
    place = folder(**{"backbones/tiny": BACKBONE})
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("MTPEFT_CATALOG", os.pathsep.join([str(place), f"{place}/../{place.name}"]))
    assert len(loader.outside()) == 1
    assert "tiny" in load([CATALOG, STUDIES, *loader.outside()]).backbones


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in itertools.pairwise("abcdefghi")
)


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        (BOMB, 7, "anchor and an alias"),
        ("config: &c {again: *c}\n", 7, "anchor and an alias"),
        ("config: {list: &l [*l]}\n", 7, "anchor and an alias"),
        ("config: {deep: " + "[" * 5000 + "]" * 5000 + "}\n", None, "nested too deeply"),
        ("config: {ls: !!python/object/apply:os.system [ls]}\n", 7, "python/object"),
        ("config: {? [a, b] : c}\n", 7, "a list as a key"),
    ],
)
def test_yaml_that_stands_for_more_than_it_says_is_refused_at_once(folder, text, line, found):
    with pytest.raises(BadInput, match=found) as caught:
        load([folder(**{"backbones/tiny": BACKBONE + text})])
    assert caught.value.line == line


def test_a_file_that_cannot_be_read_is_refused_by_name(folder):
    place = folder(**{"backbones/tiny": BACKBONE})
    (place / "backbones" / "gone.yaml").symlink_to(place / "nowhere")
    with pytest.raises(BadInput, match=r"gone\.yaml: a link to .*nowhere, which is not there"):
        load([place])


def test_a_matrix_of_millions_is_refused_before_it_is_multiplied(folder):
    axes = ", ".join(f"m{i}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]" for i in range(8))
    with pytest.raises(BadInput, match="a matrix of 100000000 items") as caught:
        load([folder(**{"backbones/tiny": BACKBONE + f"matrix: {{{axes}}}\n"})])
    assert caught.value.line == 7


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "- {id: a, extends: b, abstract: true}\n- {id: b, extends: a, abstract: true}\n",
            "circle",
        ),
        ("- {id: a, abstract: true, lable: x}\n", "unknown key of a Backbone 'lable'"),
        ("- {id: a, abstract: true, kind: decodr}\n", "unknown kind 'decodr'"),
    ],
)
def test_an_item_that_is_only_extended_is_checked_too(folder, text, found):
    with pytest.raises(BadInput, match=found) as caught:
        load([folder(**{"backbones/tiny": text})])
    assert caught.value.line is not None


TOOL = (
    "id: mine\ntitle: Mine\nversion: '1'\nmodule: ''\nreads: [code]\nmetrics:\n"
    "  - {id: mine_share, title: S, better: higher, printed: [], column: s, low: 0, high: 1}\n"
)


@pytest.mark.parametrize(
    ("kind", "change", "line", "found"),
    [
        ("tasks", ("instances: 3", "instances: -1"), 7, "instances is -1"),
        ("tasks", ("instances: 3", "instances: 3, repetitions: 0"), 7, "repetitions is 0"),
        ("tasks", ("output: code", "output: code\nsizes: {trian: 5}"), 6, "unknown size 'trian'"),
        ("tasks", ("output: code", "output: code\nsizes: {train: -5}"), 6, "sizes is -5"),
        ("tasks", ("id: toy-x", "id: ../x"), 7, "evaluation set id '../x'"),
        ("tasks", ("id: toy-x", "id: generation-java"), 7, "'generation-java' is taken by generat"),
        ("tools", ("low: 0, high: 1", "low: 1, high: 0"), 7, "low 1 and high 0"),
        ("tools", ("low: 0", "low: .nan"), 7, ".nan is no finite number"),
        ("tools", ("high: 1", "high: 1, least_share: 7"), 7, "least_share is 7"),
        (
            "tools",
            ("high: 1", "high: 1, margin: {reason: r}"),
            7,
            "margin of mine_share with neith",
        ),
        ("tools", ("high: 1", "high: 1, margin: {reason: r, size: -1}"), 7, "size is -1"),
        ("tools", ("id: mine_share", "id: status"), 7, "'status' is a column of every score table"),
        ("tools", ("id: mine_share", "id: codebleu_0.7.0"), 7, "'codebleu_0.7.0' is taken by code"),
    ],
)
def test_a_value_that_no_such_thing_can_have_is_refused_by_line(folder, kind, change, line, found):
    text = {"tasks": TASK, "tools": TOOL}[kind]
    assert change[0] in text
    with pytest.raises(BadInput, match=re.escape(found)) as caught:
        load([CATALOG, STUDIES, folder(**{f"{kind}/mine": text.replace(*change)})])
    assert caught.value.line == line


def test_a_corpus_of_another_study_is_refused_where_it_is_taken_again(tmp_path):
    study = tmp_path / "mine" / "study.yaml"
    study.parent.mkdir()
    study.write_text("title: M\ncorpora: [{id: multitask-qlora, title: t, module: x.y}]\n")
    with pytest.raises(
        BadInput, match="corpus 'multitask-qlora' is taken by multitask-qlora"
    ) as caught:
        load([CATALOG, STUDIES, tmp_path])
    assert (caught.value.path, caught.value.line) == (study, 2)


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("commit: latest", "commit 'latest'"),
        ("questions: [{id: A, title: a}, {id: A, title: b}]", "id 'A' again"),
        ("editions: [{id: E, title: a}, {id: E, title: b}]", "id 'E' again"),
        (
            "choices: [{id: a, title: b, text: c, evaluations: [], tools: [lizrd]}]",
            "unknown tool 'lizrd'",
        ),
        (
            "choices: [{id: a, title: b, text: c, evaluations: [generation-jav], tools: []}]",
            "unknown evaluation set 'generation-jav'",
        ),
        (
            "corpora: [{id: c, title: t, module: x.y, evaluations: {generation: generation-jav}}]",
            "unknown evaluation set 'generation-jav'",
        ),
        (
            (
                "numbers: {tasks: [{id: clones, metric: f1, typical: 5}], backbones: [], "
                "methods: {fft: F}, full: fft, shared: []}"
            ),
            "unknown task 'clones'",
        ),
        (
            (
                "numbers: {tasks: [{id: clone-detection, metric: f1, typical: 5}], backbones: [], "
                "methods: {fft: F}, full: ft, shared: []}"
            ),
            "unknown method of these figures 'ft'",
        ),
    ],
)
def test_a_study_that_names_what_is_not_there_is_refused(tmp_path, key, found):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "study.yaml").write_text(f"title: M\n{key}\n")
    with pytest.raises(BadInput, match=re.escape(found)) as caught:
        load([CATALOG, STUDIES, tmp_path])
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("kind", "change", "line", "found"),
    [
        ("comparisons", ("b: NAME/second", "b: NAME/first"), 12, "with itself"),
        ("comparisons", ("[NAME-quality]", "[]"), 13, "metrics is empty"),
        ("comparisons", ("[NAME-quality]", "[NAME-quality, NAME-quality]"), 13, "twice"),
        ("runs", ("tasks: [NAME]", "tasks: []"), 7, "tasks is empty"),
        ("claims", ('"PERCENT"', "much"), 10, "percent is 'much'"),
    ],
)
def test_a_study_of_ones_own_that_compares_nothing_is_refused(tmp_path, kind, change, line, found):
    from mtpeft.studies.scaffold import FILES, new_study

    folder = new_study("mine", tmp_path)
    (name,) = [name for name in FILES if name.startswith(f"{kind}/")]
    text = (folder / name).read_text()
    old, new = (part.replace("NAME", "mine") for part in change)
    old = old if old in text else re.search('"[0-9.]+"$', text, re.MULTILINE)[0]
    (folder / name).write_text(text.replace(old, new))
    with pytest.raises(BadInput, match=found) as caught:
        load([CATALOG, STUDIES, folder])
    assert (caught.value.path, caught.value.line) == (folder / name, line)


def test_modules_beside_a_study_are_found_wherever_the_catalog_begins(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "study.yaml").write_text("title: M\n")
    (tmp_path / "mine" / "words_of_mine.py").write_text("COUNT = 3\n")
    monkeypatch.setattr("sys.path", [*sys.path])
    loader.look_for_modules_in(tmp_path)
    assert importlib.import_module("words_of_mine").COUNT == 3
