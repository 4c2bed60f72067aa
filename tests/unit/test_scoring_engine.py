"""The engine must lose nothing: not on a kill, not on a crash, not on a tool that fails on one
output.
"""

import signal
from dataclasses import replace

import pytest
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.records import Score
from mtpeft.scoring import engine
from mtpeft.scoring.interface import Item


def items(count, run="r"):
    return [Item(run, "generation-python", f"i{n}", "python", f"x = {n}\n") for n in range(count)]


class Counting:
    """A tool that counts characters, and how often it is asked."""

    tool, metrics = "counting", ("counting_characters",)

    def __init__(self, fails_on=(), batch=1, version="1"):
        self.asked, self.calls, self.fails_on, self.batch, self._version = (
            [],
            0,
            set(fails_on),
            batch,
            version,
        )

    def version(self):
        return self._version

    def accepts(self, evaluation):
        return True

    def score(self, part):
        self.calls += 1
        for item in part:
            self.asked.append(item.instance_id)
            if item.instance_id in self.fails_on:
                raise RuntimeError(f"cannot stand {item.instance_id}")
            yield Score(
                item.run,
                item.task,
                item.instance_id,
                self.tool,
                self._version,
                self.metrics[0],
                float(len(item.output)),
            )


def values(outcomes):
    return [o.cells["counting_characters"][0] for o in outcomes]


def test_scores_come_in_the_order_of_the_items(tmp_path):
    assert (
        values(engine.score("counting", items(12), tmp_path, scorer=Counting()))
        == [6.0] * 10 + [7.0] * 2
    )


def test_a_second_run_asks_the_tool_nothing(tmp_path):
    engine.score("counting", items(5), tmp_path, scorer=Counting())
    again = Counting()
    assert values(engine.score("counting", items(5), tmp_path, scorer=again)) == [6.0] * 5
    assert again.asked == []


def test_another_version_of_the_tool_scores_anew(tmp_path):
    engine.score("counting", items(5), tmp_path, scorer=Counting())
    newer = Counting(version="2")
    engine.score("counting", items(5), tmp_path, scorer=newer)
    assert len(newer.asked) == 5


def test_the_same_output_of_two_runs_is_scored_once(tmp_path):
    tool = Counting()
    both = items(4, "a") + items(4, "b")
    assert len(engine.score("counting", both, tmp_path, scorer=tool)) == 8
    assert len(tool.asked) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"output": "y"},
        {"instance_id": "other"},
        {"task": "other"},
        {"language": "java"},
        {"reference": "r"},
        {"source": "s"},
    ],
)
def test_whatever_a_tool_may_look_at_is_in_the_key(change):
    item = items(1)[0]
    assert engine.key(item) != engine.key(replace(item, **change))
    assert engine.key(item) == engine.key(replace(item, run="another"))


def test_fields_cannot_run_into_each_other_in_the_key():
    item = items(1)[0]
    assert engine.key(replace(item, output="ab", reference="c")) != engine.key(
        replace(item, output="a", reference="bc")
    )


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_a_tool_that_fails_on_one_output_still_scores_the_others(tmp_path, batch, capsys):
    tool = Counting(fails_on={"i7"}, batch=batch)
    got = engine.score("counting", items(10), tmp_path, scorer=tool)
    assert [o.status for o in got] == ["ok"] * 7 + ["infrastructure"] + ["ok"] * 2
    assert "cannot stand i7" in got[7].detail
    assert "i7" in capsys.readouterr().err


def test_a_failure_is_tried_again_by_the_next_run(tmp_path):
    engine.score("counting", items(3), tmp_path, scorer=Counting(fails_on={"i1"}))
    repaired = Counting()
    assert values(engine.score("counting", items(3), tmp_path, scorer=repaired)) == [6.0] * 3
    assert repaired.asked == ["i1"]


def test_a_broken_tool_is_given_up_before_every_item_was_tried(tmp_path):
    class Broken(Counting):
        def score(self, part):
            self.calls += 1
            raise RuntimeError("broken")

    tool = Broken(batch=1000)
    got = engine.score("counting", items(1000), tmp_path, scorer=tool)
    assert {o.status for o in got} == {"infrastructure"}
    assert tool.calls < 200


@pytest.mark.parametrize("bad", [range(60), range(100, 700, 3), range(0, 1000, 2), range(1, 1000)])
def test_many_bad_outputs_cost_no_neighbour_whatever_their_order(tmp_path, bad):
    tool = Counting(fails_on={f"i{n}" for n in bad}, batch=1000)
    got = engine.score("counting", items(1000), tmp_path, scorer=tool)
    assert [n for n, o in enumerate(got) if o.status != "ok"] == list(bad)


def test_a_value_without_ok_or_ok_without_value_is_refused(tmp_path):
    class Lying(Counting):
        def score(self, part):
            for item in part:
                yield Score(
                    item.run,
                    item.task,
                    item.instance_id,
                    self.tool,
                    "1",
                    self.metrics[0],
                    0.0,
                    "unparseable",
                )

    got = engine.score("counting", items(1), tmp_path, scorer=Lying())
    assert (
        got[0].status == "infrastructure" and "value 0.0 with status unparseable" in got[0].detail
    )


def test_a_tool_that_forgets_an_item_is_not_taken_for_a_zero(tmp_path):
    class Forgetful(Counting):
        def score(self, part):
            return iter(())

    assert (
        engine.score("counting", items(1), tmp_path, scorer=Forgetful())[0].status
        == "infrastructure"
    )


def test_a_tool_that_hangs_is_stopped_even_where_it_catches_every_exception(tmp_path):
    class Hanging(Counting):
        seconds = 0.2

        def score(self, part):
            while True:
                try:
                    signal.pause()
                except Exception:
                    continue
            yield

    got = engine.score("counting", items(1), tmp_path, scorer=Hanging())
    assert got[0].status == "infrastructure" and "no result after 0.2 s" in got[0].detail


def test_a_tool_that_is_not_here_says_so_before_anything_is_computed(tmp_path):
    class Absent(Counting):
        def version(self):
            raise Unavailable("no such tool")

    with pytest.raises(Unavailable):
        engine.score("counting", items(1), tmp_path, scorer=Absent())


@pytest.mark.parametrize(
    "damage", [b'{"key": "half', b"\xff\xfe\n", b"[]\n", b'{"key": "k", "cells": {"m": [1]}}\n']
)
def test_a_damaged_cache_line_costs_only_itself(tmp_path, damage):
    engine.score("counting", items(3), tmp_path, scorer=Counting())
    path = next(tmp_path.rglob("*.jsonl"))
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(lines[:-2]) + b"\n" + damage)
    again = Counting()
    assert values(engine.score("counting", items(3), tmp_path, scorer=again)) == [6.0] * 3
    assert len(again.asked) == 1


def test_the_row_takes_the_most_severe_status():
    outcome = engine.Outcome(
        {
            "a": (1.0, "ok", ""),
            "b": (None, "unparseable", "why"),
            "c": (None, "infrastructure", "x"),
        }
    )
    assert outcome.status == "infrastructure"
    assert outcome.detail == "why\nx"


def test_rows_count_from_one_in_every_run():
    both = items(2, "a") + items(2, "b")
    table = engine.table(both, [engine.failure(("m",), "x")] * 4, ("m",))
    assert list(table["row"]) == [1, 2, 1, 2]
    assert table["m"].isna().all()


def test_an_unknown_tool_is_answered_with_near_names():
    with pytest.raises(MtpeftError, match="did you mean"):
        engine.load("lizzard")


def test_a_rule_in_a_module_that_the_scorer_imports_changes_what_it_is_known_by(
    tmp_path, monkeypatch
):
    folder = tmp_path / "mtpeft" / "scoring"
    (folder / "rules").mkdir(parents=True)
    (folder / "tool.py").write_text(
        "from mtpeft.scoring.rules import first\nfrom mtpeft.scoring import beside\n"
        "from mtpeft.elsewhere import other\n"
    )
    (folder / "beside.py").write_text("X = 1\n")
    (folder / "rules" / "__init__.py").write_text("from mtpeft.scoring.rules.first import RULE\n")
    (folder / "rules" / "first.py").write_text("RULE = 1\n")
    (folder / "unrelated.py").write_text("Y = 1\n")
    monkeypatch.setattr(engine, "_SCORING", folder)
    monkeypatch.setattr(engine.inspect, "getsourcefile", lambda _: str(folder / "tool.py"))
    digests = [engine.source_digest(Counting())]
    for name in ("unrelated.py", "beside.py", "rules/first.py", "tool.py"):
        with open(folder / name, "a") as stream:
            stream.write("# changed\n")
        digests.append(engine.source_digest(Counting()))
    assert digests[0] == digests[1], "a module that it does not import"
    assert len(set(digests[1:])) == 4
