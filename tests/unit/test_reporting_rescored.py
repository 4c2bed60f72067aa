"""The report's account of rescored outputs: nothing hidden, nothing invented, a page of bounded
size.
"""

import gzip
import json
import re
from dataclasses import replace

import pandas as pd
import pytest
from mtpeft.core.errors import BadInput
from mtpeft.core.records import Test, Verdict, write_frame, write_records, write_scores
from mtpeft.reporting.drilldown import archived_names, instances, shortened
from mtpeft.reporting.sections import rescored
from small_study import CELLS, RUNS, TESTS, VERDICTS, write_study

MT, ST = RUNS["mt"], RUNS["st"]
PLACE = ("writing-verse", MT, "v1")


def line(tool="meter", run=MT, **counts) -> dict:
    return {
        "tool": tool,
        "version": "1",
        "answers_to": tool,
        "evaluation": "writing-verse",
        "run": run,
        "metrics": "rhyme feet",
        "tolerance": 0,
        "reason": "",
        **dict.fromkeys(rescored.COUNTS, 0),
        **counts,
    }


def difference(instance="v1", metric="rhyme", tool="meter", run=MT, reason="a reason") -> dict:
    return {
        "tool": tool,
        "evaluation": "writing-verse",
        "run": run,
        "instance_id": instance,
        "metric": metric,
        "archived": 0.75,
        "regenerated": 0.5,
        "difference": -0.25,
        "status": "ok",
        "reason": reason,
        "message": "",
    }


def messages(out, tool, texts) -> None:
    path = out / "rescore" / "messages" / tool / "writing-verse.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        gzip.compress(
            "".join(
                json.dumps({"run": run, "instance_id": name, "status": "ok", "messages": found})
                + "\n"
                for (run, name), found in texts.items()
            ).encode()
        )
    )


@pytest.fixture
def inputs(tmp_path):
    """Two runs scored again: one output differs in rhyme, one cannot be read, one has no archived
    score.
    """
    study = write_study(tmp_path)
    out, upstream = study.regenerated, tmp_path / "upstream"
    rows = [
        line(instances=4, equal=2, different=1, not_archived=1, unparseable=1),
        line(run=ST, instances=3, equal=3),
        line("exec", "", instances=6, cannot_run_here=6, reason="cannot run here: needs a stage"),
    ]
    write_frame(out / "rescore" / "summary.csv", pd.DataFrame(rows))
    write_frame(out / "rescore" / "differences.csv", pd.DataFrame([difference()]))
    write_frame(
        out / "rescore" / "problems.csv",
        pd.DataFrame([{"file": "verse.jsonl", "line": "7", "problem": "malformed <JSON>"}]),
    )
    table = pd.DataFrame(
        {
            "run": MT,
            "row": [1, 2, 3],
            "instance_id": ["v1", "v2", "v3"],
            "status": "ok",
            "rhyme": [0.5, 0.25, 0.0],
            "feet": [4, 5, 6],
        }
    )
    write_scores(out / "as-published", "meter", "writing-verse", table)
    write_scores(
        out,
        "meter",
        "writing-verse",
        table.assign(status=["ok", "ok", "unparseable"], rhyme=[0.5, 0.25, None]),
    )
    messages(out, "meter", {(MT, "v1"): {"rhyme": "1: <b>poor</b> rhyme"}, (MT, "v2"): {}})
    predictions = upstream / "derived" / "predictions" / "writing-verse.jsonl.gz"
    predictions.parent.mkdir(parents=True)
    predictions.write_bytes(
        gzip.compress(
            json.dumps(
                {
                    "model": "1b",
                    "method": "mt_toy-qlora",
                    "task_id": "v1",
                    "code": "roses & <violets>",
                }
            ).encode()
            + b"\n"
        )
    )
    (upstream / "derived" / "writing-evaluation.jsonl").write_text(
        json.dumps({"id": "v1", "language": "english", "inputs": {"prompt": "Write of flowers."}})
        + "\n"
    )
    study.elsewhere = (upstream,)
    return study


def body(inputs) -> str:
    return str(rescored.section(inputs).body)


def test_a_report_without_rescored_outputs_says_so(tmp_path):
    found = rescored.section(write_study(tmp_path))
    assert "○ not run: <code>make rescore</code>" in found.body
    assert found.note == "not run"


def test_counts_over_all_runs_come_first_and_add_up(inputs):
    page = body(inputs)
    assert "Of 13 rows" in page and "<b>5</b> come out equal" in page and "<b>1</b> differ" in page
    assert "6 need a tool that this machine lacks" in page
    assert (
        page.index("over all runs") < page.index("Per tool and run") < page.index("Single outputs")
    )
    assert "cannot run here: needs a stage" in page


def test_a_share_of_all_but_one_is_not_rounded_up_to_all():
    counts = pd.Series({"equal": 9998, "within_tolerance": 1, "different": 1})
    assert rescored._share(counts) == "99.9 %"
    assert (
        rescored._share(pd.Series({"equal": 1, "within_tolerance": 1, "different": 0})) == "100 %"
    )
    assert rescored._share(pd.Series({"equal": 0, "within_tolerance": 0, "different": 0})) == ""


def test_a_failed_tool_and_unread_outputs_are_shown_where_there_are_any(inputs):
    assert "tool failed" not in body(inputs) and "unparseable</th>" in body(inputs)
    path = inputs.regenerated / "rescore" / "summary.csv"
    write_frame(path, pd.DataFrame([line(instances=3, infrastructure=3, not_archived=3)]))
    assert "tool failed" in body(inputs)


def test_an_output_can_be_looked_into_and_its_text_is_escaped(inputs):
    page = body(inputs)
    for text in (
        "Write of flowers.",
        "roses &amp; &lt;violets&gt;",
        "1: &lt;b&gt;poor&lt;/b&gt; rhyme",
        "Rhyme 0.75 → 0.5",
        "verse.jsonl:7 malformed &lt;JSON&gt;",
    ):
        assert text in page, text


def test_a_value_of_an_unparseable_output_carries_its_status(inputs):
    found = instances(inputs, [("writing-verse", MT, "v3")])[("writing-verse", MT, "v3")]
    assert [(v.metric, v.archived, v.recomputed, v.status, v.equal) for v in found.values] == [
        ("Rhyme", "0.5", "0", "unparseable", False),
        ("Feet_per_line", "6", "6", "unparseable", True),
    ]


def test_a_missing_prompt_or_output_is_not_shown_as_an_empty_one(inputs):
    inputs.elsewhere = ()
    found = instances(inputs, [PLACE])[PLACE]
    assert found.asked is None and found.output is None
    page = body(inputs)
    assert "<h5>Output</h5>" not in page and "set <code>MTPEFT_MIRROR</code>" in page


def test_outputs_of_every_archived_run_are_found_by_their_archived_names(known):
    names = archived_names(known, "generation-java")
    assert names["0.5b", "mt_fft"] == "qwen2.5-coder-0.5b/mt-fft"
    assert names["3b", "st_qlora"] == "qwen2.5-coder-3b/st-qlora/generation"
    assert names["3b", "cg_cs_mt_qlora"] == "qwen2.5-coder-3b/mt-qlora/generation+summarization"
    assert ("3b", "cs_ct_mt_qlora") not in names
    pair = "qwen2.5-coder-3b/mt-qlora/summarization+translation"
    assert archived_names(known, "translation-cs-java")["3b", "cs_ct_mt_qlora"] == pair


def test_many_differences_stay_within_the_limit_and_rare_kinds_are_shown_whole():
    def places(kind, run, number):
        return [("e", run, f"{kind}{i}") for i in range(number)]

    groups = {
        "common": [*places("c", "r1", 900), *places("c", "r2", 900)],
        "rare": places("x", "r1", 3),
    }
    chosen = rescored._together({k: rescored._spread(p) for k, p in groups.items()}, 100)
    assert len(chosen["rare"]) == 3 and len(chosen["common"]) == 97
    assert {sum(p[1] == run for p in chosen["common"]) for run in ("r1", "r2")} <= {48, 49}


def test_an_output_that_differs_in_two_ways_is_shown_once():
    one = ("e", "r", "i")
    assert rescored._together({"a": [one], "b": [one]}, 10) == {"a": [one]}


def test_values_recovered_from_outputs_are_listed_with_their_verdict(inputs):
    recovered = [
        replace(
            VERDICTS[2],
            id=CELLS[0].id,
            tier="T2",
            kind="recovered",
            published="0.0400",
            regenerated="0.0400",
        ),
        replace(
            VERDICTS[2],
            id=CELLS[1].id,
            tier="T2",
            kind="recovered",
            published="-0.4000",
            regenerated="-0.3999",
            verdict="differs",
            reason="no cause is known",
        ),
    ]
    write_records(inputs.verdicts_path, [*VERDICTS, *recovered], Verdict)
    page = body(inputs)
    assert "RQ1: Verse: ST vs MT" in page and "-0.3999" in page and "no cause is known" in page
    assert "make rescore verify" not in page


def test_damaged_outputs_are_counted_and_looked_into_once_the_audit_has_run(inputs):
    assert "○ not run: <code>make audit-outputs</code>" in body(inputs)
    folder = inputs.regenerated / "audit" / "outputs"
    write_frame(
        folder / "defects.csv",
        pd.DataFrame(
            [
                {
                    "run": MT,
                    "evaluation": "writing-verse",
                    "instance_id": i,
                    "defect": "cut_short",
                    "evidence": "",
                    "repaired": "false",
                }
                for i in ("v1", "v2")
            ]
        ),
    )
    counts = dict.fromkeys(rescored.DEFECT_COUNTS, 0)
    write_frame(
        folder / "summary.csv",
        pd.DataFrame(
            [
                {
                    "evaluation": "writing-verse",
                    "run": run,
                    "defect": d,
                    "title": t,
                    **counts,
                    "outputs": n,
                }
                for run, d, t, n in (
                    (MT, "cut_short", "ends early", 2),
                    (ST, "cut_short", "ends early", 5),
                    (ST, "none", "sound", 9),
                )
            ]
        ),
    )
    write_frame(
        folder / "conclusions.csv",
        pd.DataFrame(
            [
                {
                    "comparison": "quality",
                    "block": "1b",
                    "metric": m,
                    "run_a": MT,
                    "run_b": ST,
                    "difference_archived": 0.5,
                    "difference_repaired": gap,
                    "difference_repaired_with_class": gap,
                    "sign_changes": changes,
                }
                for m, gap, changes in (("rhyme", -0.25, "yes"), ("feet", 0.5, "no"))
            ]
        ),
    )
    page = body(inputs)
    assert re.search(r"ends early</th><td class=\"num\">7<", page) and ">-<" not in page
    assert "Of 2 compared means, repair reverses the sign of 1." in page and "-0.25" in page
    assert "Damaged: cut short" in page
    assert page.count("<code>v1</code>") == 1 and page.count("<code>v2</code>") == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"nonsense", "not a whole gzip file"),
        (gzip.compress(b"{}\n", mtime=0), "keys"),
        (gzip.compress(b"{\n", mtime=0), "malformed JSON"),
    ],
)
def test_a_broken_file_of_messages_is_named(inputs, content, problem):
    path = inputs.regenerated / "rescore" / "messages" / "meter" / "writing-verse.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=problem) as caught:
        rescored.section(inputs)
    assert caught.value.path == path


def test_a_summary_without_a_column_is_refused(inputs):
    path = inputs.regenerated / "rescore" / "summary.csv"
    write_frame(path, pd.DataFrame([line()]).drop(columns="no_output"))
    with pytest.raises(BadInput, match="no column no_output"):
        rescored.section(inputs)


def test_a_long_message_is_cut_and_says_so():
    assert shortened("x" * 2000) == "x" * 1500 + "\n… 500 more characters"
    assert shortened("short") == "short"


def test_the_page_names_files_independently_of_where_they_lie(inputs):
    rescored.section(inputs)
    names = {inputs.shown(path) for path in inputs.used}
    assert "derived/predictions/writing-verse.jsonl.gz" in names
    assert not any(name.startswith("/") for name in names)


def test_a_test_that_mending_turns_is_shown_with_every_reading(inputs):
    test_damaged_outputs_are_counted_and_looked_into_once_the_audit_has_run(inputs)
    model = TESTS[0]
    rows = [
        replace(
            model,
            comparison="quality",
            block="1b",
            metric=metric,
            protocol=protocol,
            p_holm=p,
            p_bh=p,
        )
        for metric, values in (("rhyme", (0.2, 0.01, 0.04)), ("feet", (0.2, 0.3, 0.4)))
        for protocol, p in zip(
            ("as-archived", "repaired", "repaired-with-class"), values, strict=True
        )
    ]
    write_records(inputs.regenerated / "statistics" / "repaired.csv", rows, Test)
    page = body(inputs)
    assert (
        "Of 2 tests of the study on these outputs, repair flips the significance of <b>1</b>"
        in page
    )
    assert (
        all(text in page for text in ("No, 0.2000", "Yes, 0.0100", "Yes, 0.0400"))
        and "No, 0.3000" not in page
    )
