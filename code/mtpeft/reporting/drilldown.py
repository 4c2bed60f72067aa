"""Single outputs in full: what was asked, what the model wrote, archived and recomputed scores,
what each tool said.

Prompts and outputs are no part of the repository. They are read from the mirror or the cache where
these have them; the report that shows them is a local file.
"""

import gzip
import json
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mtpeft.catalog import Catalog
from mtpeft.core.errors import BadInput
from mtpeft.core.files import lines
from mtpeft.core.records import format_value, read_scores
from mtpeft.reporting.inputs import Inputs
from mtpeft.studies.outputs import prediction_sets

Place = tuple[str, str, str]
"""(evaluation set, run, instance id)"""
LONGEST = 1500


@dataclass(frozen=True)
class Value:
    """One metric of one output, as text.

    Attributes:
        tool: Title of the tool.
        metric: Title of the metric.
        archived: The archived value; empty where there is none.
        recomputed: The recomputed value; empty where the tool has none.
        status: The recomputed value's status, which says why there is none.
        equal: Whether the two are equal, or nothing is archived to differ from.
    """

    tool: str
    metric: str
    archived: str
    recomputed: str
    status: str
    equal: bool


@dataclass
class Instance:
    """One output, with what was asked and what the tools say of it.

    Attributes:
        evaluation: The evaluation set.
        run: The run that wrote it.
        instance_id: The instance.
        asked: The part of the prompt that differs between instances; None where its file is not
            here.
        output: What the model wrote; None where its file is not here.
        values: The metrics, tool by tool.
        messages: What the tools report, with the tool's name.
    """

    evaluation: str
    run: str
    instance_id: str
    asked: str | None = None
    output: str | None = None
    values: list[Value] = field(default_factory=list)
    messages: list[tuple[str, str]] = field(default_factory=list)


def instances(inputs: Inputs, places: Collection[Place]) -> dict[Place, Instance]:
    """The outputs at `places`.

    Raises:
        BadInput: A file is there and cannot be read.
    """
    found = {place: Instance(*place) for place in places}
    for evaluation in sorted({place[0] for place in places}):
        asked, written = _asked(inputs, evaluation), _outputs(inputs, evaluation, found)
        mine = [i for i in found.values() if i.evaluation == evaluation]
        for instance in mine:
            instance.asked = asked.get(instance.instance_id)
            instance.output = written.get((evaluation, instance.run, instance.instance_id))
        _add_values(inputs, evaluation, mine)
        _add_messages(inputs, evaluation, found)
    return found


def shortened(text: str, longest: int = LONGEST) -> str:
    """The beginning of a long text, with how much is left out."""
    return (
        text
        if len(text) <= longest
        else f"{text[:longest]}\n… {len(text) - longest:,} more characters"
    )


# ---------------------------------------------------------------- what was asked, what was written


def _asked(inputs: Inputs, evaluation: str) -> dict[str, str]:
    """The part of the prompt that differs between instances, by instance id."""
    task = inputs.known.task_of(evaluation)
    wanted = inputs.known.evaluations()[evaluation]
    path = inputs.upstream(f"derived/{task.id}-evaluation.jsonl")
    return (
        {}
        if path is None
        else {
            record["id"]: record["inputs"].get("prompt") or "\n".join(record["inputs"].values())
            for record in _lines(inputs, path, ("id", "language", "inputs"))
            if record["language"] == wanted.language
        }
    )


def _outputs(inputs: Inputs, evaluation: str, places: Collection[Place]) -> dict[Place, str]:
    path = inputs.upstream(
        f"derived/predictions/{evaluation}.jsonl.gz", f"predictions/{evaluation}.jsonl.gz"
    )
    if path is None:
        return {}
    names = archived_names(inputs.known, evaluation)
    found = {}
    for record in _lines(inputs, path, ("model", "method", "task_id", "code")):
        place = (evaluation, names.get((record["model"], record["method"]), ""), record["task_id"])
        if place in places:
            found[place] = record["code"]
    return found


def archived_names(known: Catalog, evaluation: str) -> dict[tuple[str, str], str]:
    """(model, method) as the archived outputs name them → run, for the runs that an evaluation set
    has.
    """
    target = prediction_sets(known).get(evaluation)
    return {(run.model, run.method): run.run for run in target.runs} if target else {}


def _lines(inputs: Inputs, path: Path, keys: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The objects of a file in JSON lines, compressed or not.

    Raises:
        BadInput: A line cannot be read; the error names file and line.
    """
    inputs.used.add(path)
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(
            path, f"not a whole gzip file: {error}", "gzip-compressed JSON lines", "make rescore"
        ) from error
    for number, line in enumerate(lines(data), start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise BadInput(
                path, f"malformed JSON: {error}", "one object a line", line=number
            ) from error
        if not isinstance(record, dict) or not set(keys) <= record.keys():
            raise BadInput(
                path,
                f"keys {', '.join(record) if isinstance(record, dict) else type(record).__name__}",
                ", ".join(keys),
                line=number,
            )
        yield record


# ---------------------------------------------------------------- scores and messages


def _add_values(inputs: Inputs, evaluation: str, mine: list[Instance]) -> None:
    """Values by tool in the catalog's order; a tool without archived scores has none to compare
    with.
    """
    archived = {
        tool: table for (tool, name), table in inputs.scores.tables.items() if name == evaluation
    }
    owner = {metric: tool for tool, table in archived.items() for metric in table.columns[4:]}
    for tool in inputs.known.tools.values():
        if not any(m.id in owner for m in tool.metrics):
            continue
        relative = f"scores/{tool.id}/{evaluation}.csv"
        published, honest = (
            _scores(inputs, path) for path in (f"as-published/{relative}", relative)
        )
        metrics = [
            m
            for m in tool.metrics
            if m.id in owner and published is not None and m.id in published.columns
        ]
        if honest is None or published is None or not metrics:
            continue
        old = _rows(archived[owner[metrics[0].id]], mine)
        new, status = _rows(published, mine), _rows(honest, mine)
        for instance in mine:
            key = (instance.run, instance.instance_id)
            if key not in new.index:
                continue
            for metric in metrics:
                before = float(old.at[key, metric.id]) if key in old.index else float("nan")
                after = float(new.at[key, metric.id])
                instance.values.append(
                    Value(
                        tool.title,
                        metric.title,
                        _text(before),
                        _text(after),
                        str(status.at[key, "status"]),
                        before == after or key not in old.index,
                    )
                )


def _scores(inputs: Inputs, relative: str) -> pd.DataFrame | None:
    path = inputs.regenerated / relative
    if not path.is_file():
        return None
    inputs.used.add(path)
    return read_scores(path)


def _rows(table: pd.DataFrame, mine: list[Instance]) -> pd.DataFrame:
    wanted = {(i.run, i.instance_id) for i in mine}
    index = pd.MultiIndex.from_arrays([table["run"], table["instance_id"]])
    return table.set_index(index)[index.isin(wanted)]


def _text(value: float) -> str:
    return format_value(round(value, 6))


def _add_messages(inputs: Inputs, evaluation: str, found: dict[Place, Instance]) -> None:
    for path in sorted(
        (inputs.regenerated / "rescore" / "messages").glob(f"*/{evaluation}.jsonl.gz")
    ):
        tool = inputs.known.tools.get(path.parent.name)
        for record in _lines(inputs, path, ("run", "instance_id", "messages")):
            instance = found.get((evaluation, record["run"], record["instance_id"]))
            if instance is not None and record["messages"]:
                text = "\n".join(record["messages"].values())
                instance.messages.append(
                    (tool.title if tool else path.parent.name, shortened(text))
                )
